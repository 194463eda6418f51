"""What happens to cards: a wrong configuration, a full data partition, an unreadable one, a card that dies. The board says so on
its console and waits; it never starts over and over."""

import contextlib
import shutil
import subprocess
import time

from emulated_boards import Options
from harness import Failure, run, tripod_cluster

ON_REQUEST = True
OPTIONS = Options(boards=("qemu-virt",))
BACK_SECONDS, TEXT_SECONDS = 180, 120
CALM_SECONDS = 75  # longer than it takes until the board repeats itself
MIB = 1 << 20


def say(board, *texts, seconds=TEXT_SECONDS):
    """Waits for a text on the console; the board lives, and has started once."""
    def there():
        if not board.pid():
            raise RuntimeError(f"{board.name} has ended\n{board.log_tail()}")
        return all(text in board.console_text() for text in texts)
    try:
        tripod_cluster.wait_for(f"`{texts}` on the console", there, seconds, 0.3)
    except tripod_cluster.ClusterError as error:
        raise Failure(f"{error}\n{board.log_tail(60)}") from None


def stays_calm(board, *texts):
    """It waits: no reboot, no server, the same words again a minute later, and the power button works."""
    say(board, *texts, "this board waits for a person", "mend it and switch the board off and on")
    time.sleep(CALM_SECONDS)
    said = board.console_text().count("this board waits for a person")
    if board.boots() != 1 or not board.pid() or said < 2 or said > 4:
        raise Failure(f"{board.boots()} starts, {said} reminders:\n{board.log_tail(60)}")
    if "phase server" in board.console_text():
        raise Failure(f"the server was started:\n{board.log_tail(60)}")
    off(board)


def off(board):
    if not board.stop():
        raise Failure(f"the power button did nothing:\n{board.log_tail()}")
    board.disk.stop()


def comes_back(t, board):
    board.start()
    t.cluster.wait_ready(BACK_SECONDS)
    names = t.kubectl("get", "configmaps", "-n", "default", "-o", "name", board=1, timeout=60).out
    if "configmap/kept" not in names:
        raise Failure(f"what was written before is gone: {names}")


def data_file_system(board):
    """As e2fsprogs names it."""
    return f"{board.disk_file}?offset={board.data_partition()[0]}"


def test_a_wrong_configuration_is_said_and_waited_for(t):
    board = t.cluster.board(1)
    t.kubectl("create", "configmap", "kept", "-n", "default", board=1, timeout=60)
    off(board)
    good = (t.cluster.cards / board.name / "tripod.ini").read_text()
    board.put_on_card("tripod.ini", good.replace("[etcd]", "[etcd]\nnmae = x"))
    board.start()
    stays_calm(board, "/boot/tripod.ini:", "nmae")
    board.put_on_card("tripod.ini", good)
    comes_back(t, board)


def test_a_full_data_partition_does_not_loop(t):
    board = t.cluster.board(1)
    off(board)
    filling = t.folder / "filling"
    with open(filling, "wb") as file:
        file.write(b"x" * board.data_partition()[1])
    # debugfs writes until nothing is left.
    subprocess.run(["/sbin/debugfs", "-w", "-R", f"write {filling} filling", data_file_system(board)], capture_output=True)
    filling.unlink()
    free = run(["/sbin/dumpe2fs", "-h", data_file_system(board)]).out
    print("         " + next(line for line in free.splitlines() if line.startswith("Free blocks")))
    board.start()
    say(board, "phase server")
    time.sleep(CALM_SECONDS)
    if board.boots() != 1 or not board.pid():
        raise Failure(f"{board.boots()} starts:\n{board.log_tail(60)}")
    print("         " + " | ".join(line.strip() for line in board.log_tail(14).splitlines()[-14:]))
    if "space" not in board.console_text().lower():
        raise Failure(f"nothing about it on the console:\n{board.log_tail(60)}")
    off(board)
    run(["/sbin/debugfs", "-w", "-R", "rm filling", data_file_system(board)])
    comes_back(t, board)


@contextlib.contextmanager
def with_copy(t, board, damage):
    """Does `damage` to the card, and afterwards gives back the card of before."""
    off(board)
    copy = t.folder / "card.copy"
    shutil.copyfile(board.disk_file, copy)
    try:
        with open(board.disk_file, "r+b") as file:
            damage(file)
        board.start()
        yield
    finally:
        board.kill()
        board.disk.stop()
        shutil.move(copy, board.disk_file)


def test_a_data_partition_that_is_no_file_system_any_more(t):
    board = t.cluster.board(1)

    def damage(file):
        file.seek(board.data_partition()[0])
        file.write(b"\xff" * MIB)
    with with_copy(t, board, damage):
        stays_calm(board, "data partition: no partition labelled tripod-data")
    comes_back(t, board)


def test_a_data_partition_that_cannot_be_mounted(t):
    """Its superblock is fine, what it points to is not."""
    board = t.cluster.board(1)

    def damage(file):
        file.seek(board.data_partition()[0] + 4096)
        file.write(b"\xff" * MIB)
    with with_copy(t, board, damage):
        stays_calm(board, "data partition: mounting", "the server does not run")
    comes_back(t, board)


def test_a_card_that_dies_stops_the_server_and_is_said(t):
    board = t.cluster.board(1)
    board.disk.send(tripod_cluster.signal.SIGUSR1)
    say(board, "server ended")
    time.sleep(CALM_SECONDS)
    if board.boots() != 1 or not board.pid():
        raise Failure(f"{board.boots()} starts:\n{board.log_tail(60)}")
    print("         " + " | ".join(line.strip() for line in board.log_tail(8).splitlines()[-8:]))
    board.kill()
    board.disk.stop()
    comes_back(t, board)
