"""tools/cluster: a whole cluster on this machine, for hands and eyes."""

import argparse
import collections
import contextlib
import http.client
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
from tripod_cluster import ROOT, API_PORT, BALANCER_PORT, TOPOLOGIES, Cluster, ClusterError, wait_for  # noqa: E402


DATA, PREFIX = ROOT / "build/cluster", "127.0.0."
READY_SECONDS = 30
LEASES_PATH = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
ELECTED = ("kube-controller-manager", "kube-scheduler")
ALONE_SECONDS = 5  # how long `start` waits for more members, when these cannot agree on anything


def addresses_of(count, prefix):
    return [f"{prefix}{10 + n}" for n in range(1, count + 1)]


def prefix_of(text):
    """The three numbers and a dot that all addresses begin with."""
    numbers = text.removesuffix(".").split(".")
    if not text.endswith(".") or len(numbers) != 3 or not all(re.fullmatch(r"\d{1,3}", n) and int(n) < 256
                                                              for n in numbers):
        raise argparse.ArgumentTypeError(f"`{text}`: expected three numbers and a dot, as {PREFIX}")
    return text


def recorded_addresses(folder):
    """The boards' addresses as their own files have them; none where no cluster is."""
    files = sorted(folder.glob("board-*.ini"), key=lambda file: int(re.sub(r"\D", "", file.name) or 0))
    found = [re.search(r"(?m)^bind-address = (\S+)$", file.read_text()) for file in files]
    if not all(found):
        raise ClusterError(f"{files[found.index(None)]}: no bind-address in it; remove it first: "
                           f"rm -r {shlex.quote(os.path.relpath(folder))}")
    return [match.group(1) for match in found]


def hint(options, *words, prefix=None):
    """What to type for this cluster."""
    command = ["tools/cluster"]
    if options.data.resolve() != DATA.resolve():
        command += ["--data", shlex.quote(os.path.relpath(options.data))]
    if prefix and prefix != PREFIX:
        command += ["--prefix", prefix]
    return " ".join([*command, *words])


def check_prefix(options, addresses):
    recorded = addresses[0].rpartition(".")[0] + "."
    if options.prefix and options.prefix != recorded:
        raise ClusterError(f"the cluster here is at {', '.join(addresses)}, not at {options.prefix}11; leave --prefix "
                           f"away, choose another --data, or remove it first: {hint(options, 'down --wipe')}")


def open_cluster(options):
    """The cluster that `up` left in the folder."""
    addresses = recorded_addresses(options.data)
    if not addresses:
        raise ClusterError(f"no cluster in {os.path.relpath(options.data)}; run: "
                           f"{hint(options, 'up', prefix=options.prefix)}")
    check_prefix(options, addresses)
    return Cluster(options.data, addresses, topology=topology_of(options.data))


def topology_of(folder):
    with contextlib.suppress(OSError):
        return (folder / "topology").read_text().strip()
    return "stacked"


def process_of(cluster, name):
    named = {p.name: p for p in [*cluster.boards, *cluster.stores]} | {"nodes": cluster.nodes}
    if name in named:
        return named[name]
    if not name.isdigit():
        raise ClusterError(f"`{name}`: a board's number, `nodes`, or one of {', '.join(named)}")
    return cluster.board(int(name))


def chosen_cluster(options):
    """The cluster to bring up: the one that is here, if it is as asked for."""
    addresses = recorded_addresses(options.data)
    if not addresses:
        addresses = addresses_of(options.boards, options.prefix or PREFIX)
        return Cluster(options.data, addresses, topology=options.topology)
    remove = f"remove it first: {hint(options, 'down --wipe')}"
    check_prefix(options, addresses)
    if len(addresses) != options.boards:
        raise ClusterError(f"a cluster of {len(addresses)} boards is here; {remove}")
    if topology_of(options.data) != options.topology:
        raise ClusterError(f"a cluster of topology {topology_of(options.data)} is here; {remove}")
    return Cluster(options.data, addresses, topology=options.topology)


def up(options):
    chosen_cluster(options)  # what contradicts it is said before anything is built
    subprocess.run([ROOT / "tools/build", "release", "tripod", "hollow-node"], check=True)
    subprocess.run([ROOT / "tools/peers"], check=True)
    cluster = chosen_cluster(options)
    cluster.prepare()
    for board in [*cluster.stores, *cluster.boards]:
        if board.runs_old_build():
            print(f"{board.name}: restarting with the new build", flush=True)
            board.stop()
            board.start()
            cluster.wait_ready(60, [board])
    cluster.start()
    print("waiting for the boards", flush=True)
    cluster.wait_ready(60)
    cluster.wait_balancer()
    if cluster.nodes.runs_old_build():
        cluster.nodes.stop()
    cluster.start_nodes(options.nodes)
    wait_for("the nodes register", lambda: nodes_ready(cluster, options.nodes), 60)
    print_next(cluster, options)


def nodes_ready(cluster, count):
    if not cluster.nodes.pid():
        raise RuntimeError(f"the hollow nodes ended:\n{cluster.nodes.log_tail()}")
    status, body = cluster.boards[0].get("/api/v1/nodes", API_PORT)
    return status == 200 and body.count('"kubeletVersion"') >= count


STORED = {"stacked": "", "external": ", on three real etcd", "external-tripod": ", on three member-only boards"}


def direct(cluster, without):
    """How to reach the API past the balancer."""
    files = [os.path.relpath(b.kubeconfig) for b in cluster.boards if b is not without]
    return f"KUBECONFIG={' or '.join(files)}" if files else ""


def print_next(cluster, options):
    peers = Path(subprocess.run([ROOT / "tools/peers", "path", "kubectl-1.32"], check=True, capture_output=True,
                                text=True).stdout.strip()).parent
    here = shlex.quote(os.path.relpath(cluster.folder))
    others = direct(cluster, cluster.boards[0])
    past = f"; while that board is down, the others answer directly on {API_PORT}:\n{others}" if others else ""
    print(f"""
{len(cluster.boards)} boards are up{STORED[cluster.topology]}; the API is https://{cluster.addresses[0]}:{BALANCER_PORT}.
Board 1 balances {BALANCER_PORT}{past}. Type next:

  export PATH={peers}:$PATH KUBECONFIG={shlex.quote(str(cluster.admin_conf))}
  . {here}/etcdctl.env

  kubectl get nodes
  kubectl create deployment web --image=nginx --replicas=3
  kubectl rollout status deployment/web
  etcdctl put name john; etcdctl get name
  etcdctl endpoint status -w table

  {hint(options, "status")}         kill 1 | start 1 | logs 1 -f         down
""")


def down(options):
    cluster = open_cluster(options)
    running = [p.name for p in [*cluster.boards, *cluster.stores, cluster.nodes] if p.pid()]
    clean = cluster.stop()
    if options.wipe:
        shutil.rmtree(cluster.folder)
    here = os.path.relpath(cluster.folder)
    print(f"{'stopped ' + ', '.join(running) if running else 'nothing was running'}; "
          f"{here + ' is removed' if options.wipe else 'the data stays in ' + here}")
    if not clean:
        raise ClusterError("a board did not stop in time and was killed; see its log")


def status(options):
    cluster = open_cluster(options)
    leading = leaders(cluster)
    print(f"{'NAME':14}{'ADDRESS':14}{'PID':>8}  {'STATE':10}{'MEMORY':>8}  LEADS")
    for board in [*cluster.boards, *cluster.stores]:
        pid = board.pid()
        state = "stopped" if not pid else "paused" if is_paused(pid) else "ready" if board.ready() else "not ready"
        memory = f"{board.resident_bytes() >> 20} MiB" if pid else "-"
        print(f"{board.name:14}{board.address:14}{pid or '-':>8}  {state:10}{memory:>8}  {', '.join(leading.get(board.name, [])) or '-'}")
    pid = cluster.nodes.pid()
    print(f"{cluster.nodes.name:14}{'':14}{pid or '-':>8}  {'running' if pid else 'stopped'}")


def leaders(cluster):
    """{name of a board or store: what it leads}, as the members of etcd and the Leases say."""
    found = collections.defaultdict(list)
    running = live(cluster.boards)
    for member in live(cluster.members):
        if member.leads_etcd():
            found[member.name].append("etcd")
    for board in running:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            answered, body = board.get(LEASES_PATH)
            if answered != 200:
                continue
            for lease in json.loads(body)["items"]:
                holder, name = lease["spec"].get("holderIdentity") or "", lease["metadata"]["name"]
                if name in ELECTED:
                    found[holder.partition("_")[0]].append(name.removeprefix("kube-"))
            break
    return {process.name: found[process.name] for process in live([*cluster.boards, *cluster.stores])}


def is_paused(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T"


def live(members):
    return [m for m in members if m.pid() and not is_paused(m.pid())]


def wait_quorum_and_ready(cluster, process, options):
    """Ready needs a majority of etcd's members; says so while there is none."""
    members, said = cluster.members, None
    needed = len(members) // 2 + 1
    deadline = time.monotonic() + READY_SECONDS
    alone = time.monotonic() + ALONE_SECONDS
    while not process.ready():
        cluster.alive(process)
        count = len(live(members))
        running = f"{count} of {len(members)} {'etcd members' if cluster.stores else 'boards'} run"
        if count >= needed:
            alone = deadline
        elif count != said:
            print(f"waiting: {running}", flush=True)
            said = count
        if time.monotonic() > min(alone, deadline) and count < needed:
            down = next(m for m in members if m not in live(members))
            word = "resume" if down.pid() else "start"
            name = down.name if cluster.stores else str(down.number)
            raise ClusterError(f"{process.name} runs, and will be ready when {needed} of {len(members)} do; {running}. "
                               f"Next: {hint(options, word, name)}")
        if time.monotonic() > deadline:
            raise ClusterError(f"{process.name} runs, but is not ready after {READY_SECONDS} s; see: "
                               f"{hint(options, 'logs', options.name)}")
        time.sleep(0.1)


def start(options, cluster, process):
    if pid := process.pid():
        if is_paused(pid):
            raise ClusterError(f"{process.name} is paused; run: {hint(options, 'resume', options.name)}")
        print(f"{process.name} is running already, pid {pid}")
    elif process is cluster.nodes:
        cluster.start_nodes(options.nodes)
        print(f"{process.name} started")
        return
    else:
        process.start()
    if process is not cluster.nodes:
        wait_quorum_and_ready(cluster, process, options)
        print(f"{process.name} is ready")


def lost_balancer(cluster, process):
    """What it means that this one is gone."""
    if process is not cluster.boards[0]:
        return ""
    others = direct(cluster, process)
    return f"; it balances {BALANCER_PORT}" + (f": reach the others with {others}" if others else "")


def lost_majority(cluster):
    """What it means that so few are left."""
    members = cluster.members
    needed, left = len(members) // 2 + 1, len(live(members))
    if left == 0 or left >= needed:
        return ""
    return (f"; {left} of {len(members)} {'etcd members' if cluster.stores else 'boards'} run and {needed} are needed: until "
            "then nothing is read or written, and kubectl waits")


def act(options):
    cluster = open_cluster(options)
    process = process_of(cluster, options.name)
    if options.command == "start":
        start(options, cluster, process)
        return
    if not process.pid():
        raise ClusterError(f"{process.name} is not running")
    if options.command == "kill":
        process.kill()
        print(f"{process.name} killed{lost_balancer(cluster, process)}{lost_majority(cluster)}")
    elif options.command == "stop":
        if not process.stop():
            raise ClusterError(f"{process.name} did not stop in time and was killed; see its log")
        print(f"{process.name} stopped{lost_balancer(cluster, process)}{lost_majority(cluster)}")
    elif options.command == "pause":
        process.send(signal.SIGSTOP)
        print(f"{process.name} paused{lost_balancer(cluster, process)}")
    else:
        process.send(signal.SIGCONT)
        print(f"{process.name} resumed")


def replace(options):
    """What one does when the card of a board died."""
    cluster = open_cluster(options)
    if cluster.stores:
        raise ClusterError("only boards with a member of etcd of their own are replaced")
    board = cluster.board(int(options.name)) if options.name.isdigit() else process_of(cluster, options.name)
    others = [b for b in live(cluster.boards) if b is not board]
    if board not in cluster.boards or 2 * len(others) <= len(cluster.boards):
        raise ClusterError(f"{board.name} is replaced while a majority of the boards beside it runs; "
                           f"{len(others)} of {len(cluster.boards)} do")
    board.kill()
    board.lose_etcd_data()
    print(f"{board.name} killed, its etcd data are gone; adding it anew", flush=True)
    cluster.replace_member(board, others[0])
    wait_quorum_and_ready(cluster, board, options)
    print(f"{board.name} is ready, as a new member")


def logs(options):
    process = process_of(open_cluster(options), options.name)
    follow = ["-F"] if options.follow else []
    os.execvp("tail", ["tail", "-n", "200", *follow, str(process.log_file)])


def common(default):
    """Options that may stand before and after the command."""
    parser = argparse.ArgumentParser(add_help=False, argument_default=default, allow_abbrev=False)
    parser.add_argument("--data", type=Path, help=f"the cluster's folder; {os.path.relpath(DATA)} by default")
    parser.add_argument("--prefix", type=prefix_of,
                        help=f"boards are at PREFIX11, PREFIX12, ...; {PREFIX} by default. `up` keeps it with the data")
    return parser


def arguments():
    parser = argparse.ArgumentParser(prog="tools/cluster", description=__doc__, parents=[common(None)], allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, text, run):
        command = commands.add_parser(name, help=text, description=text, parents=[common(argparse.SUPPRESS)], allow_abbrev=False)
        command.set_defaults(run=run)
        return command

    command = add("up", "install, build, start, and say what to type next", up)
    command.add_argument("--boards", type=int, default=3, choices=range(1, 8), help="%(default)s by default")
    command.add_argument("--nodes", type=int, default=2, help="hollow nodes; %(default)s by default")
    command.add_argument("--topology", choices=TOPOLOGIES, default="stacked",
                         help="etcd inside the boards (the default), three real etcd, or three boards that are members "
                              "only")
    command = add("down", "stop everything; the data stays", down)
    command.add_argument("--wipe", action="store_true", help="remove the data too")
    add("status", "one line per process", status)
    for name, text in (("kill", "SIGKILL: a power cut"), ("stop", "SIGTERM, and wait"),
                       ("start", "start, and wait until ready"), ("pause", "SIGSTOP"), ("resume", "SIGCONT")):
        command = add(name, text, act)
        command.add_argument("name", metavar="N", help="a board's number, etcd-N of an external store, or `nodes`")
        if name == "start":
            command.add_argument("--nodes", type=int, default=2, help="hollow nodes, for `nodes`; %(default)s by default")
    command = add("replace", "a board loses its etcd data and joins as a new member, while the others run", replace)
    command.add_argument("name", metavar="N", help="a board's number")
    command = add("logs", "the last lines of a log", logs)
    command.add_argument("name", metavar="N", help="a board's number, etcd-N of an external store, or `nodes`")
    command.add_argument("-f", "--follow", action="store_true", help="and what comes next")
    options = parser.parse_args()
    options.data = options.data or DATA
    return options


def main():
    options = arguments()
    try:
        options.run(options)
    except (ClusterError, RuntimeError) as error:
        sys.exit(f"tools/cluster: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"tools/cluster: {error.cmd[0]} failed")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        main()
