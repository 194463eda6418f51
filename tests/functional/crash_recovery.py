"""The power goes, on all boards at once, during writes, twenty times; TRIPOD_POWER_LOSSES=200 for more of it."""

import os
import random

from harness import Failure, tripod_cluster
from workload import Writer, nothing_lost, present

ROUNDS = int(os.environ.get("TRIPOD_POWER_LOSSES", "20"))
SEED = 20261121


def hashes(t):
    answer = t.etcdctl("endpoint", "hashkv", "-w", "json").json()
    return {entry["Endpoint"]: (entry["HashKV"]["hash"], entry["HashKV"]["header"]["revision"]) for entry in answer}


def agree(t):
    found = hashes(t)
    if len(found) != 3:
        raise ValueError(found)
    return len(set(found.values())) == 1


def test_every_acknowledged_write_survives_power_loss(t):
    draw = random.Random(SEED)
    namespace = t.namespace()
    acknowledged = []
    for round_number in range(ROUNDS):
        writers = [Writer(t.cluster, board.address, tripod_cluster.API_PORT, namespace, f"r{round_number}-b{board.number}")
                   for board in t.cluster.boards]
        for writer in writers:
            writer.start()
        wanted = draw.randrange(5, 120)
        t.eventually(f"{wanted} writes in round {round_number}", lambda w=writers, n=wanted: sum(
            len(writer.acknowledged) for writer in w) >= n, 30, poll=0.005)
        for board in t.cluster.boards:
            board.send(tripod_cluster.signal.SIGKILL)
        for board in t.cluster.boards:
            board.wait_gone(5)
        for writer in writers:
            acknowledged += writer.finish()
        t.cluster.start()
        t.cluster.wait_ready(30)
        nothing_lost(acknowledged, present(t, namespace, board=1 + round_number % 3))
    print(f"         {len(acknowledged)} acknowledged writes over {ROUNDS} power losses are all there")
    t.eventually("the members' hashes agree", lambda: agree(t), 20)


def test_one_board_at_a_time(t):
    namespace = t.namespace()
    writer = Writer(t.cluster, t.cluster.addresses[0], tripod_cluster.API_PORT, namespace, "rolling")
    writer.start()
    for number in (2, 3, 2, 3):
        before = len(writer.acknowledged)
        t.eventually("writes flow", lambda b=before: len(writer.acknowledged) > b + 20, 20)
        board = t.cluster.board(number)
        board.kill()
        before = len(writer.acknowledged)
        t.eventually("writes go on without it", lambda b=before: len(writer.acknowledged) > b + 20, 20)
        board.start()
        t.cluster.wait_ready(30)
    acknowledged = writer.finish()
    for number in (1, 2, 3):
        nothing_lost(acknowledged, present(t, namespace, board=number))
    t.eventually("the members' hashes agree", lambda: agree(t), 20)
    if writer.longest_gap() > 15:
        raise Failure(f"writes stalled {writer.longest_gap():.1f} s")
