"""Two transcripts, step by step: every difference between them, as (step, place in the answer, etcd's value, tripod's)."""

import json

MISSING = "(nothing)"


def flatten(value, place=""):
    """{place: leaf}; an empty list or message is a leaf, so that its being there counts."""
    if isinstance(value, dict) and value:
        return {p: v for k, inner in value.items() for p, v in flatten(inner, f"{place}.{k}" if place else k).items()}
    if isinstance(value, list) and value:
        return {p: v for n, inner in enumerate(value) for p, v in flatten(inner, f"{place}[{n}]").items()}
    return {place: value}


def differences(etcd, tripod):
    """Both are lists of steps in the order they were made."""
    found = []
    theirs, ours = {s["where"]: s for s in etcd}, {s["where"]: s for s in tripod}
    for where in [*theirs, *(w for w in ours if w not in theirs)]:
        left, right = (flatten(side[where]["answer"]) if where in side else {"": MISSING} for side in (theirs, ours))
        places = [*left, *(p for p in right if p not in left)]
        found += [(where, p, left.get(p, MISSING), right.get(p, MISSING)) for p in places
                  if json.dumps(left.get(p, MISSING)) != json.dumps(right.get(p, MISSING))]
    return found
