"""tools/older-release: the program of the minor version before this one, for boards that are not updated yet."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
from tripod_cluster import ROOT  # noqa: E402

VERSION, COMMIT = "0.1.0", "6cd6f104af05315edbf9a98146c7bbf85982b63c"  # the last one that wrote raft.db in format 1
PRESETS = ("release", "aarch64", "armhf")
RELEASES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tripod/releases"


class OlderReleaseError(Exception):
    pass


def sources():
    """The folder of its sources, taken from the history when it is not there."""
    folder = RELEASES / COMMIT
    if folder.exists():
        return folder
    archive = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], capture_output=True)
    if archive.returncode != 0:
        raise OlderReleaseError(f"the history here does not reach back to {VERSION} ({COMMIT}); `git fetch --unshallow` brings it: "
                                f"{archive.stderr.decode().strip()}")
    RELEASES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RELEASES) as place:
        fresh = Path(place) / "sources"
        fresh.mkdir()
        subprocess.run(["tar", "-x", "-C", fresh], input=archive.stdout, check=True)
        shutil.move(fresh, folder)
    return folder


def program(preset):
    folder = sources()
    binary = folder / "build" / preset / "firmware/tripod"
    if not binary.exists():
        done = subprocess.run([folder / "tools/build", preset, "tripod"], stdout=sys.stderr)
        if done.returncode != 0:
            raise OlderReleaseError(f"{folder}: the build failed")
    return binary


def main():
    parser = argparse.ArgumentParser(prog="tools/older-release", description=__doc__)
    parser.add_argument("preset", choices=PRESETS)
    try:
        print(program(parser.parse_args().preset))
    except OlderReleaseError as error:
        sys.exit(f"tools/older-release: {error}")


if __name__ == "__main__":
    main()
