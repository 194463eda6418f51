#!/usr/bin/env python3
"""tests/lint/lint.py [RULE...]: first proves that each rule catches its bad samples and lets the good ones
pass, then looks at the tree. Exit code 1 when anything is found."""

import importlib
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import source  # noqa: E402

RULES = ["layers", "calls", "sizes", "shape", "layout"]


def self_test(rule):
    failures = []
    for tree, expected in rule.BAD:
        found = [str(f) for f in rule.check(tree)]
        if not any(expected in f for f in found):
            failures.append(f"{rule.__name__}: a bad sample went through: {tree!r}\n  expected `{expected}`, found {found}")
    for tree in rule.GOOD:
        found = [str(f) for f in rule.check(tree)]
        if found:
            failures.append(f"{rule.__name__}: a good sample was blamed: {tree!r}\n  found {found}")
    if not rule.BAD:
        failures.append(f"{rule.__name__}: has no bad sample")
    return failures


def main(names):
    unknown = set(names) - set(RULES)
    if unknown:
        sys.exit(f"no such rule: {', '.join(sorted(unknown))}; there are {', '.join(RULES)}")
    tree = source.load_tree()
    problems = []
    for name in names or RULES:
        rule = importlib.import_module(name)
        problems += self_test(rule)
        problems += sorted({str(f) for f in rule.check(tree)})
    print("\n".join(problems) or f"{', '.join(names or RULES)}: {len(tree)} files, nothing found")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
