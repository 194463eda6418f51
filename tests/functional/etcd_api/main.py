#!/usr/bin/python3
"""etcd_api/main.py --endpoints HOST:PORT,... [--pki FOLDER] [--only CHAPTER] -o FILE: runs the suite against one cluster that is
new and empty, and writes the transcript as JSON. Debian's python3-grpcio carries the calls; run it by Debian's python3."""

import argparse
import importlib
import json
import sys
import time
import traceback
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from session import Session  # noqa: E402

# In this order: hashes depend on all that was before. Each test leaves an empty key space; `users` leaves authentication off, as it was.
CHAPTERS = ["hashes", "kv", "txn", "watching", "leases", "cluster", "coordination", "bad_requests", "gateway", "users"]


def tests_of(name):
    module = importlib.import_module(name)
    found = [(n[5:], f) for n, f in vars(module).items() if n.startswith("test_") and f.__module__ == name]
    return sorted(found, key=lambda item: item[1].__code__.co_firstlineno)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", required=True)
    parser.add_argument("--pki")
    parser.add_argument("--only", help="chapters, separated by commas")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    session = Session(options.endpoints.split(","), options.pki)
    session.learn_members()
    chosen = options.only.split(",") if options.only else CHAPTERS
    for chapter in chosen:
        for name, test in tests_of(chapter):
            if not session.reachable():
                session.record("broke", "", {}, "a member is gone")
                break
            begin = time.monotonic()
            try:
                session.begin(f"{chapter}/{name}")
                test(session)
            except Exception:  # noqa: BLE001 - what breaks the suite is a step like others, and differs from the other run
                session.steps.append({"where": f"{session.chapter}/broke", "answer": traceback.format_exc(limit=4)})
            if chapter != "users":
                session.ask("KV/DeleteRange", {"key": "\0", "range_end": "\0"})
            if options.verbose:
                print(f"{session.chapter} {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)
    session.close()
    options.output.write_text(json.dumps(session.steps, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
