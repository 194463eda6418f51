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


def state_of(t):
    """(names by id, leader's name)."""
    names = {m["ID"]: m["name"] for m in
             t.etcdctl("member", "list", "-w", "json", *PATIENCE, timeout=120).json()["members"]}
    status = t.etcdctl("endpoint", "status", "-w", "json", *PATIENCE, timeout=120).json()
    leaders = {s["Status"].get("leader", 0) for s in status}
    if len(status) != 3 or len(leaders) != 1 or 0 in leaders:
        return names, None
    return names, names[leaders.pop()]


def lead(t, board):
    """Hands the leadership over to that board's member."""
    names, now = state_of(t)
    if now == board.name:
        return
    target = next(number for number, name in names.items() if name == board.name)
    t.etcdctl("move-leader", f"{target:x}", *PATIENCE, boards=[int(now[-1])], timeout=120)
    t.eventually(f"{board.name} leads", lambda: state_of(t)[1] == board.name, 60, 1)
