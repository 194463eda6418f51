"""Boards of the release before this one and of this one are one cluster while an update is on its way: what falls back finds its
data as it can read them, either leads, either sends the other a snapshot, and nothing acknowledged is lost. Wants
`tools/older-release aarch64`, which takes minutes the first time."""

import older_release
from cluster_checks import PATIENCE, cut_power, lead, members_agree
from emulated_boards import Options
from harness import Failure, tripod_cluster
from update_steps import CONFIRM_SECONDS, KUBECTL, begin_update, packed, status, tripod, update
from workload import Writer, nothing_lost, present

ON_REQUEST = True
TEST_SECONDS_MAX = 1500  # the first one may have to build the older release
BACK_SECONDS = 240
OLD = older_release.VERSION
OPTIONS = Options(firmware=True, overrides={("board", "update-patience"): "120s", ("etcd", "snapshot-catchup-entries"): "100"},
                  binaries={"aarch64": lambda: older_release.program("aarch64")})
# More entries than the log keeps for a member that is away, and so many bytes that the state is made durable and the log cut.
ENTRIES, VALUES, VALUE_BYTES = 80, 4, 1 << 20
KEPT, MOVED = "log keeps its format for now", "log moved to a new format"
SPACE = "skew"
acknowledged = []  # by all tests: each looks for what those before it have written


def new_version():
    return tripod("version").out.split()[-1]


def new_file(t):
    file = t.folder / "new.update"
    return file if file.exists() else packed(t, "new.update")


def write_at(t, boards, name, count=5):
    writers = [Writer(t.cluster, b.address, tripod_cluster.API_PORT, SPACE, f"{name}-{b.number}", timeout=15) for b in boards]
    for writer in writers:
        writer.start()
    t.eventually(f"{count} writes at each board", lambda: all(len(w.acknowledged) >= count for w in writers), 120, 0.1)
    for writer in writers:
        acknowledged.extend(writer.finish())


def expect_everything(t):
    for board in t.cluster.boards:
        nothing_lost(acknowledged, present(t, SPACE, board.number))
    members_agree(t)


def expect_versions(t, wanted):
    for number, line in status(t).items():
        if f"tripod {wanted[number - 1]} " not in line or "ready" not in line:
            raise Failure(f"board {number} should run {wanted[number - 1]}: {line}")


def restart(t, board):
    cut_power(t, [board])
    board.start()
    t.cluster.wait_ready(BACK_SECONDS)


def test_boards_of_the_older_release_are_a_cluster(t):
    if new_version() == OLD:
        raise Failure(f"this release and the older one are both {OLD}")
    expect_versions(t, [OLD] * 3)
    t.kubectl("create", "namespace", SPACE, *KUBECTL, timeout=120)
    write_at(t, t.cluster.boards, "old")
    expect_everything(t)


def test_a_board_that_falls_back_reads_what_the_newer_release_wrote(t):
    board = t.cluster.board(3)
    lead(t, t.cluster.board(1))
    rollout = begin_update(t, new_file(t), [board])
    t.eventually("the new release has the log", lambda: KEPT in board.console_text(), CONFIRM_SECONDS, 0.1)
    t.eventually("it serves", board.ready, BACK_SECONDS, 0.1)
    write_at(t, [board], "trial", 1)
    if "the new slot is kept" in board.console_text():
        raise Failure("too late: the trial is over")
    cut_power(t, [board])
    board.start()
    t.cluster.wait_ready(BACK_SECONDS)
    if rollout.child.wait(timeout=CONFIRM_SECONDS) == 0:
        raise Failure("the update says that it succeeded:\n" + "\n".join(rollout.lines))
    line = status(t)[3]
    if f"tripod {OLD} " not in line or f"went back from {new_version()}" not in line:
        raise Failure(f"board 3 is not what it was: {line}")
    expect_everything(t)


def test_one_board_ahead_leads_follows_and_moves_its_files_when_it_is_kept(t):
    board = t.cluster.board(3)
    update(new_file(t), [board])
    expect_versions(t, [OLD, OLD, new_version()])
    for leader in (board, t.cluster.board(2)):
        lead(t, leader)
        write_at(t, t.cluster.boards, f"led-by-{leader.number}")
        expect_everything(t)
    if MOVED in board.console_text():
        raise Failure(f"a file was moved during the trial:\n{board.log_tail()}")
    restart(t, board)
    if MOVED not in board.console_text():
        raise Failure(f"the files did not move behind the trial:\n{board.log_tail()}")
    expect_everything(t)


def test_either_release_brings_the_other_back_by_a_snapshot(t):
    old, new = t.cluster.board(2), t.cluster.board(3)
    for leader, away in ((new, old), (old, new)):
        lead(t, leader)
        cut_power(t, [away])
        others = [b for b in t.cluster.boards if b is not away]
        write_at(t, others, f"without-{away.number}", ENTRIES)
        for index in range(VALUES):
            t.etcdctl("put", f"large-{leader.number}-{index}", *PATIENCE, stdin="x" * VALUE_BYTES, boards=[b.number for b in others],
                      timeout=120)
        away.start()
        t.cluster.wait_ready(BACK_SECONDS)
        if "took in a snapshot" not in away.console_text():
            raise Failure(f"{away.name} came back without a snapshot:\n{away.log_tail()}")
        write_at(t, t.cluster.boards, f"behind-{away.number}")
        expect_everything(t)


def test_the_rest_follows(t):
    update(new_file(t), t.cluster.boards)
    expect_versions(t, [new_version()] * 3)
    write_at(t, t.cluster.boards, "new")
    expect_everything(t)


def test_the_older_release_refuses_moved_files_and_the_board_goes_back(t):
    board = t.cluster.board(3)
    lead(t, t.cluster.board(1))
    file = packed(t, "old.update", binary=older_release.program("aarch64"), version=OLD)
    done = update(file, [board], check=False)
    if done.code == 0 or "board-3 went back to what it had" not in done.err:
        raise Failure(f"the older release was kept:\n{done}")
    said = board.console.with_suffix(".console.before").read_text(errors="replace") + board.console_text()
    if "format 2 is unknown, this release writes format 1" not in said:
        raise Failure(f"it does not say why:\n{board.log_tail()}")
    t.cluster.wait_ready(BACK_SECONDS)
    expect_versions(t, [new_version()] * 3)
    expect_everything(t)
