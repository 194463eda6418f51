"""Five members lose two and seven lose three: writes go on, and who was away catches up."""

import random

from harness import wait_for

BOARDS = 7
CLUSTER = False


def health_of(board):
    return board.health()[0] == 200


def wait_healthy(boards):
    for board in boards:
        wait_for(f"{board.name} is healthy", lambda b=board: health_of(b), 40)


def equal(t, boards):
    """At one revision that all have: leases are renewed meanwhile."""
    revision = min(e["Status"]["header"]["revision"] for e in t.etcdctl(
        "endpoint", "status", "-w", "json", boards=boards).json())
    answer = t.etcdctl("endpoint", "hashkv", f"--rev={revision}", "-w", "json", boards=boards).json()
    return len(answer) == len(boards) and len({e["HashKV"]["hash"] for e in answer}) == 1


def loses(t, size, lost):
    boards = t.cluster.boards[:size]
    for board in boards:
        board.lose_etcd_data()
        board.changes.clear()
    t.cluster.found(boards)
    for board in boards:
        board.start()
    wait_healthy(boards)
    numbers = [b.number for b in boards]
    t.etcdctl("put", "before", "1", boards=numbers)
    away = random.Random(size).sample(numbers, lost)
    stay = [n for n in numbers if n not in away]
    for number in away:
        t.cluster.board(number).kill()
    for i in range(20):
        t.etcdctl("put", f"without/{i}", str(i), "--command-timeout=10s", boards=stay)
    # One more is too many.
    one_more = t.cluster.board(stay[0])
    one_more.kill()
    refused = t.etcdctl("put", "too few", "1", "--command-timeout=3s", boards=stay[1:], check=False)
    assert refused.code != 0, refused
    for number in [*away, one_more.number]:
        t.cluster.board(number).start()
    wait_healthy(boards)
    t.eventually("hashes agree", lambda: equal(t, numbers), 30)
    listed = t.etcdctl("get", "without/", "--prefix", "--keys-only", boards=away).out.split()
    assert len(listed) == 20, listed
    for board in boards:
        assert board.stop(), f"{board.name} did not stop in time"


def test_five_lose_two(t):
    loses(t, 5, 2)


def test_seven_lose_three(t):
    loses(t, 7, 3)
