"""slow_card.py SYNCS_PER_SECOND COMMAND...: runs the command with storage that syncs as slowly as an SD card.

Every fsync and fdatasync of the process waits its turn, one at a time and so many a second, and is then done for real.
The kernel asks this file's second process (seccomp_unotify(2)), so it holds alike for static binaries, Go and SQLite,
needs no device and no preloaded library, and costs neither side any CPU of its own. The command keeps this pid."""

import array
import ctypes
import fcntl
import os
import select
import socket
import struct
import sys
import time

SYSCALL_SECCOMP = {"x86_64": 317, "aarch64": 277}
SYNCS = {"x86_64": (74, 75), "aarch64": (82, 83)}  # fsync, fdatasync
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_SET_MODE_FILTER, FLAG_NEW_LISTENER = 1, 8
RETURN_ALLOW, RETURN_USER_NOTIFICATION = 0x7FFF0000, 0x7FC00000
NOTIFICATION_BYTES = 80
IOCTL_RECEIVE, IOCTL_SEND = 0xC0502100, 0xC0182101
RESPONSE_CONTINUE = 1
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def filter_of(machine):
    """struct sock_filter[]: the two syscalls ask, everything else passes."""
    first, second = SYNCS[machine]
    return b"".join(struct.pack("HBBI", *step) for step in (
        (LOAD_WORD, 0, 0, 0),  # seccomp_data.nr
        (JUMP_IF_EQUAL, 2, 0, first),
        (JUMP_IF_EQUAL, 1, 0, second),
        (RETURN, 0, 0, RETURN_ALLOW),
        (RETURN, 0, 0, RETURN_USER_NOTIFICATION),
    ))


def install_filter():
    """The descriptor on which the kernel asks."""
    machine = os.uname().machine
    libc = ctypes.CDLL(None, use_errno=True)
    text = filter_of(machine)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        sys.exit(f"slow_card: prctl: {os.strerror(ctypes.get_errno())}")
    program = Program(len(text) // 8, text)
    listener = libc.syscall(SYSCALL_SECCOMP[machine], SECCOMP_SET_MODE_FILTER, FLAG_NEW_LISTENER,
                            ctypes.byref(program))
    if listener < 0:
        sys.exit(f"slow_card: seccomp: {os.strerror(ctypes.get_errno())}")
    return listener


def serve(listener, syncs_per_second):
    """Until nobody is left who could ask."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    free_at = 0.0
    while not any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll()):
        asked = bytearray(NOTIFICATION_BYTES)
        try:
            fcntl.ioctl(listener, IOCTL_RECEIVE, asked)
            free_at = max(time.monotonic(), free_at) + 1 / syncs_per_second
            time.sleep(max(0.0, free_at - time.monotonic()))
            fcntl.ioctl(listener, IOCTL_SEND, struct.pack("Qqii", struct.unpack_from("Q", asked)[0], 0, 0,
                                                          RESPONSE_CONTINUE))
        except FileNotFoundError:
            continue  # the one who asked is gone


def main():
    syncs_per_second, command = int(sys.argv[1]), sys.argv[2:]
    here, there = socket.socketpair()
    if os.fork() == 0:
        here.close()
        _, control, _, _ = there.recvmsg(1, socket.CMSG_SPACE(4))
        if control:
            serve(array.array("i", control[0][2])[0], syncs_per_second)
        os._exit(0)
    there.close()
    here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [install_filter()]))])
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
