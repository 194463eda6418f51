"""Three boards start from their cards, find each other, run a deployment, and lose their power under writes."""

import contextlib
import os
import random

from cluster_checks import PATIENCE, cut_power, members_agree
from emulated_boards import DISK_MIB
from harness import Failure, tripod_cluster
from workload import Writer, nothing_lost, present

SEED = 20261125
# One board in the first round, all three in the second. TRIPOD_POWER_CUTS=30 goes on with random boards.
ROUNDS = int(os.environ.get("TRIPOD_POWER_CUTS", "2"))
BACK_SECONDS = 180


def test_the_cards_become_a_cluster(t):
    status = t.etcdctl("endpoint", "status", "-w", "json", *PATIENCE, timeout=120).json()
    if len(status) != 3 or len({s["Status"]["leader"] for s in status}) != 1:
        raise Failure(f"no three members with one leader: {status}")
    for board in t.cluster.boards:
        phases = "  ".join(f"{name} {seconds:.1f} s" for name, seconds in board.phases().items())
        print(f"         {board.name}: {phases}")
        if "init" not in board.phases():
            raise Failure(f"{board.name} does not say when it got where:\n{board.log_tail()}")


def test_a_deployment_runs_on_nodes_through_the_balancer(t):
    t.cluster.start_nodes(2)
    t.eventually("two nodes are Ready", lambda: t.kubectl("get", "nodes").out.count(" Ready") == 2, 120, 0.5)
    namespace = t.namespace()
    t.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=3", "-n", namespace)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=150s", timeout=160)
    running_pods(t, namespace, 3)
    t.kubectl("scale", "deployment/web", "--replicas=5", "-n", namespace)
    t.kubectl("set", "image", "deployment/web", "nginx=nginx:1.29", "-n", namespace)
    t.kubectl("rollout", "status", "deployment/web", "-n", namespace, "--timeout=150s", timeout=160)
    t.eventually("five pods of the new image", lambda: running_pods(t, namespace, 5, "nginx:1.29"), 60, 0.5)
    t.cluster.nodes.stop()


def running_pods(t, namespace, count, image="nginx"):
    pods = t.kubectl("get", "pods", "-n", namespace, "-o", "json").json()["items"]
    found = sorted((pod["status"]["phase"], pod["spec"]["containers"][0]["image"], pod["spec"].get("nodeName", ""))
                   for pod in pods)
    if [pod[:2] for pod in found] != [("Running", image)] * count or "" in {pod[2] for pod in found}:
        raise Failure(f"{count} running pods of {image} on nodes expected: {found}")
    return found


def test_the_data_partition_has_grown_to_the_card(t):
    """By the partition table on the card, which process 1 has rewritten."""
    for board in t.cluster.boards:
        size = board.data_partition()[1] >> 20
        if size < DISK_MIB // 2:
            raise Failure(f"{board.name}: the data partition has {size} MiB on a card of {DISK_MIB} MiB")


def test_acknowledged_writes_survive_power_cuts(t):
    """One board, all boards, then any, in random order."""
    draw = random.Random(SEED)
    namespace = t.namespace()
    acknowledged = []
    for round_number in range(ROUNDS):
        count = (1, 3)[round_number] if round_number < 2 else draw.randrange(1, 4)
        victims = draw.sample(t.cluster.boards, count)
        writers = [Writer(t.cluster, board.address, tripod_cluster.API_PORT, namespace, f"r{round_number}-b{board.number}",
                          timeout=15) for board in t.cluster.boards]
        for writer in writers:
            writer.start()
        wanted = draw.randrange(20, 60)
        t.eventually(f"{wanted} writes in round {round_number}", lambda w=writers, n=wanted: sum(
            len(writer.acknowledged) for writer in w) >= n, 90, poll=0.01)
        cut_power(t, victims)
        for writer in writers:
            acknowledged += writer.finish()
        for board in victims:
            board.start()
        t.cluster.wait_ready(BACK_SECONDS)
        for board in t.cluster.boards:
            nothing_lost(acknowledged, present(t, namespace, board=board.number))
    counts = [board.statistics() for board in t.cluster.boards]
    print(f"         {len(acknowledged)} acknowledged writes are there; of the unflushed ones the cards lost "
          f"{sum(c['lost_writes'] for c in counts)} and tore {sum(c['torn_writes'] for c in counts)}")
    if not acknowledged or sum(c["power_cuts"] for c in counts) < ROUNDS:
        raise Failure(f"nothing was cut: {counts}")


def test_members_agree_afterwards(t):
    members_agree(t)


def test_the_power_button_shuts_a_board_down_in_order(t):
    board = t.cluster.board(3)
    lost = board.statistics()["power_cuts"]
    if not board.stop(timeout=60):
        raise Failure(f"the power button did nothing:\n{board.log_tail()}")
    t.eventually("its card is off", lambda: "off, all flushed" in board.disk.log_tail(1), 10)
    if board.statistics()["power_cuts"] != lost:
        raise Failure("its card lost power before all was flushed")
    board.start()
    with contextlib.suppress(tripod_cluster.ClusterError):
        t.cluster.wait_ready(1, [board])
    t.cluster.wait_ready(BACK_SECONDS, [board])
