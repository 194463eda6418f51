"""tools/bench etcd: tripod's member beside the real etcd. Three members each, in turn on this machine, with the same
certificates, load generator and file system; alternating rounds, medians, ratios."""

import argparse
import datetime
import os
import platform
import shlex
import subprocess
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True

import tripod_cluster  # noqa: E402
from bench_parts import LOADS, PARTS, note  # noqa: E402

RESULTS = tripod_cluster.ROOT / "tools/etcd-load/RESULTS.md"


def version_of_etcd():
    shown = subprocess.run([tripod_cluster.peer("etcd"), "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()[0].removeprefix("etcd Version: ")


def heading(options, load_average):
    extra = f"; {options.syncs} syncs a second a member" if options.syncs else ""
    extra += "; both sides before everything else on the machine (--first)" if options.first else ""
    now = datetime.datetime.now(datetime.UTC)
    return (f"{now:%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores, load average {load_average:.1f} "
            f"before; etcd {version_of_etcd()}; three members a side, TLS with client "
            f"certificates; medians of {options.rounds} rounds (slow storage, behind, check: at most two; growth, idle: one), "
            f"{options.seconds} s a load{extra}.")


def document(command, text):
    return f"# tripod's member beside the real etcd\n\n    {command}\n\n{text}\n"


def arguments():
    parser = argparse.ArgumentParser(prog="tools/bench etcd", description=__doc__,
                                     epilog="loads: " + ", ".join(LOADS))
    parser.add_argument("--part", action="append", choices=PARTS, help="may be given more than once; all without it")
    parser.add_argument("--only", action="append", choices=LOADS, metavar="LOAD",
                        help="of part loads, and no other part; may be given more than once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each load that is not counted in operations")
    parser.add_argument("--syncs", type=int, default=0,
                        help="of part loads: fdatasyncs a second each member's storage does; 0: any")
    parser.add_argument("--keys-max", type=int, default=300_000, help="of part growth; up to 1,000,000")
    parser.add_argument("--behind-mib", type=int, default=64, help="of part behind")
    parser.add_argument("--behind-revisions", type=int, default=0, help="of part behind, in place of MiB: puts of 256 B")
    parser.add_argument("--check-load", default="l", choices=("s", "m", "l", "xl"), help="of part check")
    parser.add_argument("--idle-seconds", type=int, default=30, help="of part idle")
    parser.add_argument("--first", action="store_true", help="both sides run before everything else (SCHED_FIFO)")
    parser.add_argument("--dir", default=tripod_cluster.ROOT / "build/bench", help="where both sides keep their data")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.relative_to(tripod_cluster.ROOT)}")
    options = parser.parse_args()
    for name in ("rounds", "seconds", "behind_mib", "keys_max", "idle_seconds"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')}: at least 1 is expected")
    return options


def main():
    options = arguments()
    names = ["loads"] if options.only else options.part or list(PARTS)
    load_average = os.getloadavg()[0]
    started = time.monotonic()
    tables = []
    for name in names:
        note(f"{name}, after {time.monotonic() - started:.0f} s:")
        tables += PARTS[name](options)
    text = "\n\n".join([heading(options, load_average), *map(str, tables)])
    if options.write:
        RESULTS.write_text(document(shlex.join(["tools/bench", "etcd", *sys.argv[1:]]), text))
    print(text)


if __name__ == "__main__":
    try:
        main()
    except tripod_cluster.ClusterError as error:
        sys.exit(f"tools/bench: {error}")
    except KeyboardInterrupt:
        sys.exit("tools/bench: interrupted")
