"""What stories of several emulated boards do alike."""

from harness import tripod_cluster

PATIENCE = ("--command-timeout=60s", "--dial-timeout=20s")  # a handshake of emulated processors takes seconds


def cut_power(t, boards):
    """What SIGKILL of the emulator is to its card; the disk's process says what became of the unflushed writes."""
    cuts = {b: b.statistics()["power_cuts"] for b in boards}
    for board in boards:
        board.send(tripod_cluster.signal.SIGKILL)
    for board in boards:
        board.wait_gone(10)
        t.eventually(f"{board.name}'s card is without power", lambda b=board: b.statistics()["power_cuts"] > cuts[b], 10)


def members_agree(t, *flags):
    """All boards', at one revision, since leases go on being renewed. `flags`: of etcdctl."""
    revision = t.etcdctl("get", "nothing", "-w", "json", *PATIENCE, *flags, timeout=120).json()["header"]["revision"]

    def same():
        answer = t.etcdctl("endpoint", "hashkv", f"--rev={revision}", "-w", "json", *PATIENCE, *flags, timeout=120).json()
        return len(answer) == len(t.cluster.boards) and len({(e["HashKV"]["hash"], e["HashKV"]["compact_revision"]) for e in answer}) == 1
    t.eventually("the members' hashes agree", same, 120, 1)
