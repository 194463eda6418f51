"""tools/qemu: three emulated boards that start from images, for hands and eyes."""

import argparse
import contextlib
import os
import select
import shlex
import shutil
import socket
import subprocess
import sys
import termios
import tty
from pathlib import Path

sys.dont_write_bytecode = True
import board_rows  # noqa: E402
import debian_archive  # noqa: E402
import disk_image  # noqa: E402
import image_command  # noqa: E402
import initramfs  # noqa: E402
from emulated_boards import EmulatedCluster, Options  # noqa: E402
from tripod_cluster import ROOT, ClusterError, peer, wait_for  # noqa: E402

DATA, PREFIX = ROOT / "build/qemu", "127.0.77."
READY_SECONDS, BOOT_SECONDS = 300, 180
LEAVE = b"\x1d"  # Ctrl-]


def recorded(folder):
    """The boards that `up` left in the folder."""
    file = folder / "boards"
    if not file.exists():
        raise ClusterError(f"no emulated boards in {os.path.relpath(folder)}; run: tools/qemu up")
    names, _, rest = file.read_text().partition("\n")
    values = dict(line.split("=", 1) for line in rest.splitlines())
    return Options(boards=tuple(names.split()), firmware=True, syncs=float(values["syncs"]) if "syncs" in values else None,
                   memory_mib=int(values["memory"]) if "memory" in values else None)


def remember(folder, options):
    folder.mkdir(parents=True, exist_ok=True)
    lines = [" ".join(options.boards)]
    lines += [f"syncs={options.syncs}"] if options.syncs else []
    lines += [f"memory={options.memory_mib}"] if options.memory_mib else []
    (folder / "boards").write_text("\n".join(lines) + "\n")


def open_cluster(options):
    return EmulatedCluster(options.data, options=recorded(options.data))


def up(options):
    subprocess.run([ROOT / "tools/build", "release", "tripod", "hollow-node"], check=True)
    subprocess.run([ROOT / "tools/peers"], check=True)
    if (options.data / "boards").exists():
        cluster = open_cluster(options)
        print("the boards' cards are there already; `tools/qemu down --wipe` makes new ones possible", flush=True)
    else:
        chosen = Options(boards=tuple(options.boards.split(",")), firmware=True, syncs=options.syncs, memory_mib=options.memory)
        cluster = EmulatedCluster(options.data, options.prefix or PREFIX, chosen)
        cluster.prepare()
        remember(options.data, chosen)
    cluster.start()
    print("waiting for the boards", flush=True)
    cluster.wait_ready(READY_SECONDS)
    cluster.wait_balancer()
    cluster.start_nodes(options.nodes)
    show(cluster)
    print_next(cluster, options)


def print_next(cluster, options):
    kubectl = Path(peer("kubectl-1.32")).parent
    cards = os.path.relpath(cluster.folder / "cards")
    print(f"""
{len(cluster.boards)} emulated boards are up; the API is https://{cluster.boards[0].address}:6443. Type next:

  export PATH={kubectl}:$PATH KUBECONFIG={shlex.quote(str(cluster.admin_conf))}
  . {shlex.quote(os.path.relpath(cluster.folder))}/etcdctl.env
  kubectl get nodes; etcdctl endpoint status -w table
  tools/qemu console 1 | kill 2 | start 2 | status | down

An update, once there is something to update to (another commit, or SOURCE_DATE_EPOCH=$(date +%s)):

  tools/image --board {cluster.boards[0].row.name} --update-key {cards}/pki/update.key -o build/new.img --no-xz
  build/release/firmware/tripod update build/new.update --boards {','.join(b.address for b in cluster.boards)}
""")


def show(cluster):
    print(f"{'NAME':10}{'BOARD':18}{'ADDRESS':15}{'PID':>8}  {'STATE':11}{'KERNEL TO':30}")
    for board in cluster.boards:
        pid = board.pid()
        state = "off" if not pid else "ready" if board.ready() else "not ready"
        phases = "  ".join(f"{name} {seconds:.1f} s" for name, seconds in board.phases().items()) if pid else ""
        print(f"{board.name:10}{board.row.name:18}{board.address:15}{pid or '-':>8}  {state:11}{phases}")


def status(options):
    cluster = open_cluster(options)
    show(cluster)
    for board in cluster.boards:
        with contextlib.suppress(OSError, ValueError):
            counts = board.statistics()
            print(f"{board.name}: {counts['written_bytes'] >> 10} KiB in {counts['writes']} writes and {counts['flushes']} "
                  f"flushes; {counts['power_cuts']} power cuts lost {counts['lost_writes']} writes and tore "
                  f"{counts['torn_writes']}")


def down(options):
    cluster = open_cluster(options)
    clean = cluster.stop()
    if options.wipe:
        shutil.rmtree(cluster.folder)
    if not clean:
        raise ClusterError("a board did not shut down by its power button and was killed; see its console")


def act(options):
    cluster = open_cluster(options)
    board = cluster.board(options.number)
    if options.command == "start":
        cluster.start_network()
        board.start()
        wait_for(f"{board.name} is ready", lambda: cluster.alive(board) and board.ready(), BOOT_SECONDS, 0.3)
        print(f"{board.name} is ready: " + ", ".join(f"{n} {s:.1f} s" for n, s in board.phases().items()))
        return
    if not board.pid():
        raise ClusterError(f"{board.name} is off")
    if options.command == "kill":
        board.kill()
        print(f"{board.name}: power cut; what its card lost is in {os.path.relpath(board.disk.log_file)}")
    elif not board.stop():
        raise ClusterError(f"{board.name} did not shut down by its power button and was killed; see its console")
    else:
        print(f"{board.name} has shut down")


def console(options):
    board = open_cluster(options).board(options.number)
    if not board.pid():
        raise ClusterError(f"{board.name} is off; its last words are in {os.path.relpath(board.console)}")
    print(f"the console of {board.name}; Ctrl-] leaves it", flush=True)
    sys.stdout.write(board.console_text()[-4000:])
    sys.stdout.flush()
    terminal = termios.tcgetattr(0) if sys.stdin.isatty() else None
    try:
        if terminal:
            tty.setraw(0)
        follow(board.console_socket)
    finally:
        if terminal:
            termios.tcsetattr(0, termios.TCSADRAIN, terminal)
            print()


def follow(path):
    """Keys to the console, the console to the terminal."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        sources = [line, 0]
        while True:
            readable, _, _ = select.select(sources, [], [])
            if 0 in readable:
                keys = os.read(0, 1024)
                if not keys:
                    sources.remove(0)
                elif LEAVE in keys:
                    return
                line.sendall(keys)
            if line in readable:
                text = line.recv(65536)
                if not text:
                    return
                os.write(1, text)


def arguments():
    parser = argparse.ArgumentParser(prog="tools/qemu", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, default=DATA, help=f"the boards' folder; {os.path.relpath(DATA)} by default")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, text, run):
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(run=run)
        return command

    command = add("up", "build images, start the boards, wait, and say what to type next", up)
    command.add_argument("--boards", default="qemu-virt,qemu-virt,qemu-virt", help="a list of qemu-virt and qemu-virt-armhf")
    command.add_argument("--nodes", type=int, default=2, help="hollow nodes; %(default)s by default")
    command.add_argument("--prefix", help=f"the host reaches the boards at PREFIX11, ...; {PREFIX} by default")
    command.add_argument("--syncs", type=float, help="flushes a second that a card manages; no limit by default")
    command.add_argument("--memory", type=int, metavar="MIB", help="of each board; its row's by default")
    command = add("down", "press all power buttons; the cards stay", down)
    command.add_argument("--wipe", action="store_true", help="remove the cards too")
    add("status", "one line per board: state and times of its start", status)
    for name, text, run in (("kill", "cut the power: what the card has not flushed is lost, kept or torn", act),
                            ("stop", "press the power button, and wait", act), ("start", "power on, and wait", act),
                            ("console", "the serial console", console)):
        add(name, text, run).add_argument("number", type=int, metavar="N")
    return parser.parse_args()


def main():
    options = arguments()
    try:
        options.run(options)
    except (ClusterError, RuntimeError, OSError, image_command.CommandError, board_rows.RowError,
            debian_archive.ArchiveError, disk_image.ImageError, initramfs.InitramfsError) as error:
        sys.exit(f"tools/qemu: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"tools/qemu: {error.cmd[0]} failed")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
