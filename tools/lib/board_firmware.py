#!/usr/bin/env python3
"""What a Raspberry Pi's boot firmware is to its board, for an emulated one: at each power-on and after each reset it reads
autoboot.txt of the card's first partition, takes kernel, initramfs and command line out of the boot slot that the file names,
and starts them in QEMU. A reboot with the argument "0 tryboot" is remembered for one start, which takes the slot of the
file's [tryboot] section. It ends when the board switches off, and takes the board's power with it when it is killed.

PLAN is a JSON file: disk, boot (a folder for the files), console, events (a socket's path), kernel, device_tree or null,
arguments (more for the kernel), command (QEMU's arguments without what is booted), again (after a reset: "firmware", as above;
"inside", QEMU goes on with the same kernel; "never", it ends).
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

SECTOR = 512
AUTOBOOT, AUTOBOOT_BYTES_MAX = "autoboot.txt", 512
ASKED_TO_TRY = "Restarting system with command '0 tryboot'"  # the kernel's own words
DIE_WITH_PARENT = 1  # prctl: PR_SET_PDEATHSIG
PAUSE_SECONDS = 0.2


class FirmwareError(Exception):
    pass


def first_byte(disk, number):
    """Where a partition of the card begins."""
    with open(disk, "rb") as file:
        table = file.read(SECTOR)
    at = 446 + 16 * (number - 1)
    first = int.from_bytes(table[at + 8:at + 12], "little")
    if table[510:512] != b"\x55\xaa" or not first:
        raise FirmwareError(f"{disk}: no partition {number}")
    return first * SECTOR


def read_file(disk, number, name):
    done = subprocess.run(["mtype", "-i", f"{disk}@@{first_byte(disk, number)}", f"::{name}"], capture_output=True)
    if done.returncode != 0:
        raise FirmwareError(f"no {name} on partition {number}: {done.stderr.decode().strip()}")
    return done.stdout


def chosen_partition(text, tried):
    """boot_partition, by the sections [all] and, when it is asked for, [tryboot]; later lines win."""
    section, chosen = "all", 1
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line.startswith("boot_partition=") and (section == "all" or section == "tryboot" and tried):
            chosen = int(line.partition("=")[2])
    return chosen


def extract(disk, number, names, folder):
    """Files of a boot slot, as they are on the card now."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(read_file(disk, number, name))


class Firmware:
    def __init__(self, plan):
        self.plan, self.tried, self.qemu = plan, False, None
        self.disk, self.boot, self.console = Path(plan["disk"]), Path(plan["boot"]), Path(plan["console"])

    def booted(self):
        """The arguments that say what is booted."""
        tried, self.tried = self.tried, False
        autoboot = read_file(self.disk, 1, AUTOBOOT)
        if len(autoboot) > AUTOBOOT_BYTES_MAX:
            raise FirmwareError(f"{AUTOBOOT} has over {AUTOBOOT_BYTES_MAX} bytes")
        number = chosen_partition(autoboot.decode(errors="replace"), tried)
        tree = self.plan["device_tree"]
        extract(self.disk, number, [self.plan["kernel"], "initramfs.gz", "cmdline.txt", *([tree] if tree else [])], self.boot)
        line = f"{(self.boot / 'cmdline.txt').read_text().strip()} {self.plan['arguments']}".strip()
        line += f" tripod.slot={number}{' tripod.tried=1' if tried else ''}"
        say(f"boots partition {number}{', this once' if tried else ''}")
        arguments = ["-kernel", self.boot / self.plan["kernel"], "-initrd", self.boot / "initramfs.gz", "-append", line]
        return [str(a) for a in arguments + (["-dtb", self.boot / tree] if tree else [])]

    def run_once(self):
        """One life of the board. True when it wants another."""
        events = Path(self.plan["events"])
        events.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self.console.rename(self.console.with_suffix(".console.before"))
        command = [*self.plan["command"], *self.booted(), "-qmp", f"unix:{events},server=on,wait=off"]
        command += [] if self.plan["again"] == "inside" else ["-no-reboot"]
        libc = ctypes.CDLL(None)
        self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                     preexec_fn=lambda: libc.prctl(DIE_WITH_PARENT, signal.SIGKILL))
        reason = self.last_words(events)
        code = self.qemu.wait()
        say(f"the board has ended: {reason or f'exit code {code}'}")
        self.tried = ASKED_TO_TRY in self.console.read_text(errors="replace") if self.console.exists() else False
        return reason == "guest-reset" and self.plan["again"] == "firmware"

    def last_words(self, path):
        """Why QEMU shut down, by its own event; None when it had no time to say."""
        while self.qemu.poll() is None:
            with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError, ValueError):
                connection.connect(str(path))
                stream = connection.makefile("rwb")
                stream.readline()
                stream.write(b'{"execute": "qmp_capabilities"}\n')
                stream.flush()
                reason = None
                for line in stream:
                    event = json.loads(line)
                    if event.get("event") == "SHUTDOWN":
                        reason = event["data"]["reason"]
                return reason
            time.sleep(0.02)
        return None


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", type=Path)
    parser.add_argument("name", help="by which the process is found again")
    options = parser.parse_args()
    firmware = Firmware(json.loads(options.plan.read_text()))

    def end(*_):
        if firmware.qemu and firmware.qemu.poll() is None:
            firmware.qemu.terminate()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    try:
        while firmware.run_once():
            time.sleep(PAUSE_SECONDS)
    except FirmwareError as error:
        sys.exit(f"the board does not start: {error}")


if __name__ == "__main__":
    main()
