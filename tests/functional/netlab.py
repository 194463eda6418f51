"""Members of etcd in network namespaces of their own, on a bridge of their own, whose links can be cut one way: all made
and removed here. Wants root."""

import contextlib
import os
import random
import subprocess

from harness import Failure, tripod_cluster

NOWHERE = "02:00:00:00:00:fe"  # a hardware address nobody has


def ip(*arguments, check=True):
    done = subprocess.run(["ip", *map(str, arguments)], capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failure(f"ip {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return done.returncode == 0


def why_not():
    """Why there can be no lab here, or nothing."""
    if os.geteuid() != 0:
        return "network namespaces want root"
    name = f"tripod-probe-{os.getpid()}"
    if not ip("netns", "add", name, check=False):
        return "this machine lets nobody make network namespaces"
    ip("netns", "del", name)
    return ""


class Lab:
    """`count` namespaces at .21, .22, ... of a free subnet; this process is on the bridge, too, at .1."""

    def __init__(self, count):
        self.tag = f"tp{os.getpid() % 100000}"
        self.subnet = f"10.{random.randrange(200, 250)}.{random.randrange(1, 250)}"
        self.addresses = [f"{self.subnet}.{20 + n}" for n in range(1, count + 1)]
        self.macs = [f"02:00:00:00:01:{n:02x}" for n in range(1, count + 1)]
        self.names = [f"{self.tag}-{n}" for n in range(1, count + 1)]

    def __enter__(self):
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(self.__exit__)
            ip("link", "add", self.tag, "type", "bridge")
            ip("address", "add", f"{self.subnet}.1/24", "dev", self.tag)
            ip("link", "set", self.tag, "up")
            for name, address, mac in zip(self.names, self.addresses, self.macs):
                ip("netns", "add", name)
                ip("link", "add", f"{name}o", "type", "veth", "peer", "name", "eth0", "netns", name)
                ip("link", "set", f"{name}o", "master", self.tag, "up")
                ip("-n", name, "link", "set", "eth0", "address", mac, "up")
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            self.heal()
            on_failure.pop_all()
        return self

    def __exit__(self, *_):
        for name in self.names:
            ip("netns", "del", name, check=False)
            ip("link", "del", f"{name}o", check=False)
        ip("link", "del", self.tag, check=False)

    def launcher(self, node):
        return ["ip", "netns", "exec", self.names[node]]

    def cut(self, source, target):
        """Packets from one to the other are lost on the way, silently; the other direction works."""
        self.neighbour(source, target, NOWHERE)

    def neighbour(self, source, target, mac):
        ip("-n", self.names[source], "neigh", "replace", self.addresses[target], "lladdr", mac, "dev", "eth0", "nud",
           "permanent")

    def isolate(self, node):
        for other in range(len(self.names)):
            if other != node:
                self.cut(node, other)
                self.cut(other, node)

    def heal(self):
        for source in range(len(self.names)):
            for target in range(len(self.names)):
                if source != target:
                    self.neighbour(source, target, self.macs[target])

    def degrade(self, node):
        """A bad link: late and lossy where the kernel can, else a thin one. Says which, or nothing."""
        for what, discipline in (("late and lossy", ["netem", "delay", "40ms", "20ms", "loss", "5%"]),
                                 ("thin", ["tbf", "rate", "400kbit", "burst", "8kb", "latency", "200ms"])):
            if self.tc("replace", node, *discipline):
                return what
        return ""

    def mend(self, node):
        self.tc("del", node)

    def tc(self, verb, node, *discipline):
        return subprocess.run(["ip", "netns", "exec", self.names[node], "tc", "qdisc", verb, "dev", "eth0", "root", *discipline],
                              capture_output=True).returncode == 0


def members(lab, folder, preset, settings):
    """A cluster of which only the three members-only boards are started, each in its namespace."""
    boards = [f"{lab.subnet}.{10 + n}" for n in (1, 2, 3)]
    cluster = tripod_cluster.Cluster(folder, boards, preset, topology="external-tripod")
    cluster.prepare()
    for node, store in enumerate(cluster.stores):
        if store.address != lab.addresses[node]:
            raise Failure(f"{store.name} is at {store.address}, its namespace at {lab.addresses[node]}")
        store.config.write_text(tripod_cluster.render_ini(store.config.read_text(), {
            ("metrics", "listen"): f"127.0.0.1:{tripod_cluster.METRICS_PORT}", **settings}))
        store.launcher = lab.launcher(node)
    return cluster
