"""Updates of three boards over the network: what is refused, what falls back by itself, and a good image on all of them while
kubectl goes on through the load balancer."""

import subprocess
import threading
import time

import image_command
from cluster_checks import cut_power
from emulated_boards import Options
from harness import Failure
from update_steps import CONFIRM_SECONDS, KUBECTL, begin_update, key_of, packed, status, tripod, update

TEST_SECONDS_MAX = 900
ON_REQUEST = True
OPTIONS = Options(firmware=True, overrides={("board", "update-patience"): "120s"})


def good_file(t):
    file = t.folder / "good.update"
    return file if file.exists() else packed(t, "good.update", epoch=image_command.epoch_of_build() - 60)


def expect_all_as_before(t):
    for number, line in status(t).items():
        if "in slot a, ready" not in line:
            raise Failure(f"board {number} is not as it was: {line}")


def expect_refused(done, text):
    if done.code == 0 or text not in done.err:
        raise Failure(f"expected a refusal with `{text}`:\n{done}")


def test_what_is_not_for_these_boards_is_refused_and_changes_nothing(t):
    boards = t.cluster.boards
    good = good_file(t)
    written = [b.statistics()["written_bytes"] for b in boards]
    tripod("pki", "update-key", "--dir", t.folder / "foreign")
    head, _, image = good.read_bytes().partition(b"\nsignature ")
    image = image.partition(b"\n")[2]
    (t.folder / "slot").write_bytes(image)
    build = head.decode().partition("\nbuild ")[2].partition("\n")[0]
    for name, board, key in (("signed", "qemu-virt", t.folder / "foreign/update.key"), ("other", "raspberry-pi-4", key_of(t))):
        tripod("update-file", "pack", "--board", board, "--build", build, "--image", t.folder / "slot", "--key", key,
               "--output", t.folder / f"{name}.update")
    expect_refused(update(t.folder / "signed.update", boards, check=False), "signature is not by the key that this board trusts")
    expect_refused(update(t.folder / "other.update", boards, check=False), "is for the board raspberry-pi-4")
    (t.folder / "format.update").write_bytes(b"tripod-update 0\n" + good.read_bytes()[16:])
    expect_refused(update(t.folder / "format.update", boards, check=False), 'has the format "0"')
    (t.folder / "bent.update").write_bytes(good.read_bytes()[:-1] + b"!")
    expect_refused(update(t.folder / "bent.update", boards, check=False), "its image is not the one that was signed")
    for board in boards:  # a client that does not look itself
        done = subprocess.run(
            ["curl", "-sS", "--cacert", t.cluster.pki / "ca.crt", "--cert", t.cluster.pki / "admin.crt", "--key",
             t.cluster.pki / "admin.key", "-T", t.folder / "signed.update",
             f"https://{board.address}:6444/tripod/v1/update"], capture_output=True, text=True, timeout=120)
        if "signature is not by the key" not in done.stdout:
            raise Failure(f"the board itself does not refuse: {done.stdout}{done.stderr}")
    expect_all_as_before(t)
    more = [b.statistics()["written_bytes"] - before for b, before in zip(boards, written)]
    if max(more) >= len(image) // 2:
        raise Failure(f"refused files were written to the cards: {more} bytes more")


def test_an_image_that_does_not_boot_is_left_again(t):
    board = t.cluster.board(3)
    file = packed(t, "no-init.update", init=b"this is no program\n")
    done = update(file, [board], check=False)
    expect_refused(done, "board-3 went back to what it had: it did not come up")
    if "No working init found" not in board.console.with_suffix(".console.before").read_text(errors="replace"):
        raise Failure(f"the broken image was not even started:\n{board.log_tail()}")
    t.cluster.wait_ready(240)
    expect_all_as_before(t)


def test_an_image_that_boots_but_is_unhealthy_is_left_again(t):
    """Process 1 comes up and cannot start its server."""
    board = t.cluster.board(3)
    row = image_command.board_rows.board("qemu-virt")
    init = image_command.init_of(row, None)
    if init.count(b"/proc/self/exe\0") < 1:
        raise Failure("the program does not start its server as this story thinks")
    file = packed(t, "unhealthy.update", init=init.replace(b"/proc/self/exe\0", b"/proc/self/exf\0"))
    done = update(file, [board], check=False)
    expect_refused(done, "board-3 went back to what it had: it was not healthy within 120 s: the server ended")
    t.cluster.wait_ready(240)
    expect_all_as_before(t)


def test_a_power_cut_while_a_slot_is_written_leaves_the_board_as_it_was(t):
    board = t.cluster.board(3)
    file = good_file(t)
    before = board.statistics()["written_bytes"]
    rollout = begin_update(t, file, [board])
    t.eventually("half of the slot is on the card",
                 lambda: board.statistics()["written_bytes"] - before > file.stat().st_size // 2, 120, 0.02)
    cut_power(t, [board])
    if any("restarts to try it" in line for line in rollout.lines):
        raise Failure("the cut came too late:\n" + "\n".join(rollout.lines))
    board.start()
    t.cluster.wait_ready(240)
    if rollout.child.wait(timeout=CONFIRM_SECONDS) == 0:
        raise Failure("the update says that it succeeded:\n" + "\n".join(rollout.lines))
    expect_all_as_before(t)


class Client(threading.Thread):
    """kubectl through the load balancer, one call after another; remembers failures and what was said meanwhile."""

    def __init__(self, t, lines):
        super().__init__(daemon=True)
        self.t, self.lines, self.ending, self.calls, self.failures = t, lines, False, 0, []

    def run(self):
        while not self.ending:
            begin = len(self.lines)
            done = self.t.kubectl("get", "configmap", "kept", "-n", "default", "-o", "name", *KUBECTL, check=False, timeout=120)
            self.calls += 1
            if done.code != 0:
                self.failures.append((self.lines[max(begin - 1, 0):], done.err.strip()))
            time.sleep(0.2)


def test_a_good_image_goes_to_all_boards_while_kubectl_goes_on(t):
    boards = t.cluster.boards
    t.kubectl("create", "configmap", "kept", "-n", "default", "--from-literal=a=b", *KUBECTL, timeout=120)
    file = good_file(t)
    leader = next((line.partition(":")[0] for line in status(t).values() if "leads etcd" in line), None)
    rollout = begin_update(t, file, boards)
    client = Client(t, rollout.lines)
    client.start()
    try:
        code = rollout.child.wait(timeout=CONFIRM_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failure("the update does not end:\n" + "\n".join(rollout.lines)) from None
    client.ending = True
    client.join(130)
    rollout.reader.join(5)
    if code != 0:
        raise Failure("the update failed:\n" + "\n".join(rollout.lines))
    # The balancer's board takes 6443 with it while it restarts; no other does.
    of_balancer = [f for f in client.failures if any(line.startswith("board-1: ") for line in f[0])]
    print(f"         {client.calls} calls of kubectl, {len(of_balancer)} failed while board 1 restarted, "
          f"{len(client.failures) - len(of_balancer)} otherwise")
    if client.calls < 10 or len(of_balancer) != len(client.failures):
        raise Failure(f"{client.calls} calls, failures: {client.failures}")
    build = file.read_bytes().partition(b"\nbuild ")[2].partition(b"\n")[0].decode()
    for number, line in status(t).items():
        if f"(build {build}) in slot b, ready" not in line:
            raise Failure(f"board {number} does not run the new image: {line}")
    restarted = [line.partition(":")[0] for line in rollout.lines if line.endswith("restarts to try it")]
    if sorted(restarted) != ["board-1", "board-2", "board-3"] or restarted[0] == leader:
        raise Failure(f"{leader} led; restarted in the order {restarted}")


def test_the_new_slot_is_for_good(t):
    board = t.cluster.board(2)
    board.kill()
    board.start()
    t.cluster.wait_ready(240, [board])
    line = status(t, [board])[2]
    if "in slot b, ready" not in line:
        raise Failure(f"after a power cut: {line}")
    done = update(good_file(t), [board])
    if "all 1 boards run" not in done.out or "sending" in done.out:
        raise Failure(f"a board that runs it was updated again:\n{done}")
