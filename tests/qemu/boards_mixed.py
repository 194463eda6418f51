"""A 32-bit board and two 64-bit ones are one cluster, whoever leads. Needs build/armhf, too."""

from cluster_checks import lead, members_agree
from emulated_boards import Options
from harness import Failure
from workload import Writer, nothing_lost, present

ON_REQUEST = True
OPTIONS = Options(boards=("qemu-virt-armhf", "qemu-virt", "qemu-virt"))
BACK_SECONDS = 240


def test_each_leads_and_all_follow(t):
    namespace, acknowledged = t.namespace(), []
    for board in t.cluster.boards[:2]:
        lead(t, board)
        writers = [Writer(t.cluster, b.address, 6444, namespace, f"led-by-{board.number}-at-{b.number}", timeout=15)
                   for b in t.cluster.boards]
        for writer in writers:
            writer.start()
        t.eventually("ten writes at each board", lambda w=writers: all(len(x.acknowledged) >= 10 for x in w), 120, 0.1)
        for writer in writers:
            acknowledged += writer.finish()
        for reader in t.cluster.boards:
            nothing_lost(acknowledged, present(t, namespace, reader.number))
    print(f"         {len(acknowledged)} writes on {', '.join(b.row.name for b in t.cluster.boards)}")


def test_the_32_bit_board_comes_back_from_a_power_cut(t):
    board = t.cluster.board(1)
    lead(t, board)
    board.kill()
    board.start()
    t.cluster.wait_ready(BACK_SECONDS)
    members_agree(t)


def test_the_binary_on_the_card_is_32_bits(t):
    board = t.cluster.board(1)
    shown = board.console_text()
    if "on qemu-virt-armhf" not in shown or board.row.text("board", "arch") != "armhf":
        raise Failure(f"another board:\n{board.log_tail()}")
    print("         " + "  ".join(f"{name} {seconds:.1f} s" for name, seconds in board.phases().items()))
