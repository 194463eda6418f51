"""tripod's members and as many real etcd side by side, with certificates of the same kind, for stories that compare the two.
Such a story has CLUSTER = False, BOARDS = 1 and TOPOLOGIES = ("external-tripod",)."""

import shutil

from harness import tripod_cluster


def start(t, cluster):
    for store in cluster.stores:
        store.start()
        t.cleanups.callback(store.stop)
    cluster.wait_ready(30, cluster.stores)


def start_both(t, real_overrides=None):
    """(three real etcd, three of tripod's members), all of them new and empty; both end with the test."""
    for store in t.cluster.stores:  # those of the test before
        shutil.rmtree(store.data, ignore_errors=True)
        store.data.mkdir(mode=0o700)
    start(t, t.cluster)  # before free addresses are looked for
    prefix = tripod_cluster.free_subnet()
    real = tripod_cluster.Cluster(t.folder / "real", [f"{prefix}11"], t.cluster.preset, topology="external",
                                  overrides=real_overrides)
    real.prepare()
    t.cleanups.callback(real.destroy)
    start(t, real)
    return real, t.cluster
