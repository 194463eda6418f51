"""Boards that lose their power again and again under writes, one, two and all three at a time, in random order; then cards that
tear every unflushed write, and a card that tears what it had flushed. TRIPOD_POWER_CUTS=30 is how often each board is cut."""

import os
import random
import re
import time

from cluster_checks import cut_power, members_agree
from emulated_boards import Options
from harness import Failure, tripod_cluster
from workload import Writer, nothing_lost, present

ON_REQUEST = True
OPTIONS = Options(syncs=40)  # a flush takes its time, so that the power goes while writes are on their way
TEST_SECONDS_MAX = 7200
SEED = 20261129
CUTS = int(os.environ.get("TRIPOD_POWER_CUTS", "30"))
SLOW = "8"  # flushes a second: hardly a cut without one on its way
BACK_SECONDS = 240
# The member, or process 1 where the file system itself is broken.
LOST = re.compile(r"the data of this member were lost.*|data partition: mounting .*")


class Load:
    """Writers at every board, and what all of them together were told is written."""

    def __init__(self, t):
        self.t, self.namespace, self.acknowledged, self.round = t, t.namespace(), [], 0

    def begin(self):
        self.round += 1
        self.writers = [Writer(self.t.cluster, b.address, tripod_cluster.API_PORT, self.namespace,
                               f"r{self.round}-b{b.number}", labels={"round": str(self.round)}, timeout=15)
                        for b in self.t.cluster.boards]
        for writer in self.writers:
            writer.start()

    def wait(self, count, draw):
        self.t.eventually(f"{count} writes in round {self.round}",
                          lambda: sum(len(w.acknowledged) for w in self.writers) >= count, 120, poll=0.01)
        time.sleep(draw.uniform(0, 0.5))  # an answer is a moment when cards have nothing to do

    def end(self):
        self.last = [name for writer in self.writers for name in writer.finish()]
        self.acknowledged += self.last

    def check_round(self):
        for board in self.t.cluster.boards:
            selector = f"&labelSelector=round%3D{self.round}"
            nothing_lost(self.last, present(self.t, self.namespace, board.number, selector))

    def check_all(self):
        for board in self.t.cluster.boards:
            nothing_lost(self.acknowledged, present(self.t, self.namespace, board.number))


def figures(boards):
    counts = [board.statistics() for board in boards]
    return (f"{sum(c['power_cuts'] for c in counts)} power cuts ({', '.join(str(c['power_cuts']) for c in counts)}); of the "
            f"unflushed writes the cards lost {sum(c['lost_writes'] for c in counts)} and tore "
            f"{sum(c['torn_writes'] for c in counts)}, of the flushed ones {sum(c['lies'] for c in counts)}")


def test_every_acknowledged_write_survives_every_power_cut(t):
    draw, load = random.Random(SEED), Load(t)
    rounds, back = {1: 0, 2: 0, 3: 0}, []
    while min(b.statistics()["power_cuts"] for b in t.cluster.boards) < CUTS:
        count = draw.choice((1, 2, 3, 3))
        victims = draw.sample(t.cluster.boards, count)
        load.begin()
        load.wait(draw.randrange(8, 30), draw)
        cut_power(t, victims)
        load.end()
        begin = time.monotonic()
        for board in victims:
            board.start()
        t.cluster.wait_ready(BACK_SECONDS)
        back.append(time.monotonic() - begin)
        load.check_round()
        rounds[count] += 1
        print(f"         round {load.round}: {', '.join(b.name for b in victims)} back after {back[-1]:.1f} s; "
              f"{len(load.acknowledged)} writes", flush=True)
    load.check_all()
    members_agree(t)
    print(f"         {figures(t.cluster.boards)}; {rounds[1]} times one board, {rounds[2]} times two, {rounds[3]} times all; "
          f"{len(load.acknowledged)} acknowledged writes are there; ready again after {sorted(back)[len(back) // 2]:.0f} s "
          f"(median), {max(back):.0f} s at most")


def change_cards(t, boards, options):
    """The same cards with other habits: their boards are off."""
    for board in boards:
        board.disk.stop()
        board.disk_options = options


def test_cards_that_tear_every_unflushed_write_lose_nothing(t):
    load, boards, draw = Load(t), t.cluster.boards, random.Random(SEED)
    clean = t.cluster.stop_boards()
    change_cards(t, boards, ["--fates", "torn", "--syncs", SLOW])
    for _ in range(3):
        for board in boards:
            board.start()
        t.cluster.wait_ready(BACK_SECONDS)
        if load.round:
            load.check_all()
        load.begin()
        load.wait(60, draw)
        cut_power(t, boards)
        load.end()
    for board in boards:
        board.start()
    t.cluster.wait_ready(BACK_SECONDS)
    load.check_all()
    members_agree(t)
    print(f"         {figures(boards)}; {len(load.acknowledged)} acknowledged writes are there")
    if not clean or not sum(b.statistics()["torn_writes"] for b in boards):
        raise Failure("nothing was torn, or a board did not shut down by its power button")


def test_a_card_that_breaks_its_word_stops_its_member_and_no_other(t):
    """What one member had on disk durably is torn. No log can promise anything then; but the others hold every write, and this
    member comes back to them or says what it has lost: it never takes part with less than it had promised."""
    load, board, draw = Load(t), t.cluster.board(2), random.Random(SEED)
    others = [b for b in t.cluster.boards if b is not board]
    if not board.stop():
        raise Failure(f"the power button did nothing:\n{board.log_tail()}")
    change_cards(t, [board], ["--fates", "torn", "--lies", "--syncs", SLOW])
    board.start()
    t.cluster.wait_ready(BACK_SECONDS)
    for _ in range(3):
        load.begin()
        load.wait(60, draw)
        cut_power(t, [board])
        load.end()
        board.start()
        t.eventually(f"{board.name} is back, or says what it has lost", lambda: board.ready() or LOST.search(board.console_text()),
                     BACK_SECONDS, 0.3)
        if LOST.search(board.console_text()):
            break
    t.cluster.wait_ready(30, others)
    for other in others:
        nothing_lost(load.acknowledged, present(t, load.namespace, other.number))
    said = LOST.search(board.console_text())
    print(f"         {figures([board])}; {len(load.acknowledged)} acknowledged writes are there\n"
          f"         {said.group() if said else 'back each time'}")
    if not board.statistics()["lies"]:
        raise Failure("the card kept its word")
