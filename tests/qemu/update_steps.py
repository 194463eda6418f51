"""Updates of emulated boards, as their operator makes them."""

import os

import image_command
from harness import Background, run, tripod_cluster

CONFIRM_SECONDS = 850
KUBECTL = ("--request-timeout=60s",)


def tripod(*arguments, timeout=120, check=True):
    return run([tripod_cluster.program("tripod"), *arguments], timeout=timeout, check=check)


def addresses(boards):
    return ",".join(b.address for b in boards)


def update(file, boards, check=True):
    return tripod("update", file, "--kubeconfig", boards[0].kubeconfig, "--boards", addresses(boards), timeout=CONFIRM_SECONDS,
                  check=check)


def begin_update(t, file, boards):
    """The same, beside the test; it ends with the test at the latest."""
    return t.cleanups.enter_context(Background([tripod_cluster.program("tripod"), "update", file, "--kubeconfig",
                                                boards[0].kubeconfig, "--boards", addresses(boards)]))


def status(t, boards=None):
    """number -> what the board says of itself."""
    boards = boards or t.cluster.boards
    out = tripod("update", "status", "--kubeconfig", boards[0].kubeconfig, "--boards", addresses(boards)).out
    return dict(zip((b.number for b in boards), out.splitlines()))


def key_of(t):
    return t.cluster.pki / "update.key"


def packed(t, name, init=None, epoch=None, binary=None, version=None):
    """An update file: of what tools/build made or of another program (`binary`, `version`), with an /init of its own, or of
    another time."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch or image_command.epoch_of_build() - 120)
    try:
        row, parts = image_command.collect("qemu-virt", binary=binary)
        if init is not None:
            kernel, _ = image_command.packages_of(row, False)
            image_command.add_kernel(parts, row, kernel, init, image_command.epoch_of_build())
        file = t.folder / name
        image_command.write_update((row, parts), file, key_of(t), version)
        return file
    finally:
        if before is None:
            del os.environ["SOURCE_DATE_EPOCH"]
        else:
            os.environ["SOURCE_DATE_EPOCH"] = before
