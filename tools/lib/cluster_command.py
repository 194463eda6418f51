"""tools/cluster: a whole cluster on this machine, for hands and eyes."""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
from tripod_cluster import ROOT, API_PORT, BALANCER_PORT, TOPOLOGIES, Cluster, ClusterError, wait_for  # noqa: E402


def addresses_of(count, prefix):
    return [f"{prefix}{10 + n}" for n in range(1, count + 1)]


def open_cluster(options):
    """The cluster that `up` left in the folder."""
    count = len(list(options.data.glob("board-*.ini")))
    if count == 0:
        raise ClusterError("no cluster here; run: tools/cluster up")
    return Cluster(options.data, addresses_of(count, options.prefix), topology=topology_of(options.data))


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


def up(options):
    subprocess.run([ROOT / "tools/build", "release", "tripod", "hollow-node"], check=True)
    subprocess.run([ROOT / "tools/peers"], check=True)
    existing = len(list(options.data.glob("board-*.ini")))
    if existing not in (0, options.boards):
        raise ClusterError(f"a cluster of {existing} boards is here; remove it first: tools/cluster down --wipe")
    if existing and topology_of(options.data) != options.topology:
        raise ClusterError(f"a cluster of topology {topology_of(options.data)} is here; remove it first: "
                           "tools/cluster down --wipe")
    cluster = Cluster(options.data, addresses_of(options.boards, options.prefix), topology=options.topology)
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
    print_next(cluster)


def nodes_ready(cluster, count):
    if not cluster.nodes.pid():
        raise RuntimeError(f"the hollow nodes ended:\n{cluster.nodes.log_tail()}")
    status, body = cluster.boards[0].get("/api/v1/nodes", API_PORT)
    return status == 200 and body.count('"kubeletVersion"') >= count


STORED = {"stacked": "", "external": ", on three real etcd", "external-tripod": ", on three member-only boards"}


def print_next(cluster):
    peers = Path(subprocess.run([ROOT / "tools/peers", "path", "kubectl-1.32"], check=True, capture_output=True,
                                text=True).stdout.strip()).parent
    here = os.path.relpath(cluster.folder)
    print(f"""
{len(cluster.boards)} boards are up{STORED[cluster.topology]}; the API is https://{cluster.addresses[0]}:{BALANCER_PORT}. Type next:

  export PATH={peers}:$PATH KUBECONFIG=$PWD/{here}/admin.conf
  . {here}/etcdctl.env

  kubectl get nodes
  kubectl create deployment web --image=nginx --replicas=3
  kubectl rollout status deployment/web
  etcdctl put name john; etcdctl get name
  etcdctl endpoint status -w table

  tools/cluster status         kill 1 | start 1 | logs 1 -f         down
""")


def down(options):
    cluster = open_cluster(options)
    clean = cluster.stop()
    if options.wipe:
        shutil.rmtree(cluster.folder)
    if not clean:
        raise ClusterError("a board did not stop in time and was killed; see its log")


def status(options):
    cluster = open_cluster(options)
    print(f"{'NAME':14}{'ADDRESS':14}{'PID':>8}  {'STATE':10}{'MEMORY':>8}")
    for board in [*cluster.boards, *cluster.stores]:
        pid = board.pid()
        state = "stopped" if not pid else "paused" if is_paused(pid) else "ready" if board.ready() else "not ready"
        memory = f"{board.resident_bytes() >> 20} MiB" if pid else "-"
        print(f"{board.name:14}{board.address:14}{pid or '-':>8}  {state:10}{memory:>8}")
    pid = cluster.nodes.pid()
    print(f"{cluster.nodes.name:14}{'':14}{pid or '-':>8}  {'running' if pid else 'stopped'}")


def is_paused(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "T"


def act(options):
    cluster = open_cluster(options)
    process = process_of(cluster, options.name)
    if options.command == "start":
        if process is cluster.nodes:
            cluster.start_nodes(options.nodes)
        else:
            process.start()
            cluster.wait_ready(30, [process])
        return
    if not process.pid():
        raise ClusterError(f"{process.name} is not running")
    if options.command == "kill":
        process.kill()
    elif options.command == "stop":
        if not process.stop():
            raise ClusterError(f"{process.name} did not stop in time and was killed; see its log")
    else:
        process.send(signal.SIGSTOP if options.command == "pause" else signal.SIGCONT)


def logs(options):
    process = process_of(open_cluster(options), options.name)
    follow = ["-F"] if options.follow else []
    os.execvp("tail", ["tail", "-n", "200", *follow, str(process.log_file)])


def arguments():
    parser = argparse.ArgumentParser(prog="tools/cluster", description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT / "build/cluster", help="the cluster's folder")
    parser.add_argument("--prefix", default="127.0.0.", help="boards are at PREFIX11, PREFIX12, ...")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("up", help="install, build, start, and say what to type next")
    command.add_argument("--boards", type=int, default=3, choices=range(1, 8))
    command.add_argument("--nodes", type=int, default=2, help="hollow nodes")
    command.add_argument("--topology", choices=TOPOLOGIES, default="stacked",
                         help="etcd inside the boards, three real etcd, or three boards that are members only")
    command.set_defaults(run=up)
    command = commands.add_parser("down", help="stop everything; the data stays")
    command.add_argument("--wipe", action="store_true", help="remove the data too")
    command.set_defaults(run=down)
    commands.add_parser("status", help="one line per process").set_defaults(run=status)
    for name, text in (("kill", "SIGKILL"), ("stop", "SIGTERM, and wait"), ("start", "start, and wait until ready"),
                       ("pause", "SIGSTOP"), ("resume", "SIGCONT")):
        command = commands.add_parser(name, help=text)
        command.add_argument("name", metavar="N", help="a board's number, etcd-N of an external store, or `nodes`")
        command.add_argument("--nodes", type=int, default=2, help=argparse.SUPPRESS)
        command.set_defaults(run=act)
    command = commands.add_parser("logs", help="the last lines of a log")
    command.add_argument("name", metavar="N", help="a board's number, etcd-N of an external store, or `nodes`")
    command.add_argument("-f", "--follow", action="store_true")
    command.set_defaults(run=logs)
    return parser.parse_args()


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
