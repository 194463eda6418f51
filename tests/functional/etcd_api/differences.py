"""Where tripod's answers differ from etcd 3.5's on purpose, and why. Every other difference fails the story; so does a row that
no longer meets one.

A row is (steps, places in the answer, test of the two values, reason); steps and places are patterns.
"""

import re
from fnmatch import fnmatchcase

from compare import MISSING


def anything(_etcd, _tripod):
    return True


def only_tripod(etcd, _tripod):
    return etcd == MISSING


def versions(etcd, tripod):
    return str(etcd).startswith("3.5.") and str(tripod).startswith("3.6.")


def less_detail(etcd, tripod):
    return str(etcd).startswith(f"{tripod}: ")


def less_place(etcd, tripod):
    """Go's protojson tells line and column, and writes a space or a no-break space as its build has it."""
    return re.sub(r"(?<=error) \(line \d+:\d+\)|\(line \d+:\d+\):? ", "", str(etcd).replace("\xa0", " ")) == tripod


JUSTIFIED = [
    ("*", "*version", versions, "tripod says that it is etcd 3.6, whose API it has; the peer is Debian's etcd 3.5"),
    ("cluster/http/get /version", "body[[]0[]].etcd*", versions, "the same"),
    ("cluster/http/get /version", "body[[]0[]].storage", only_tripod, "a field of etcd 3.6"),
    ("cluster/*", "storageVersion", only_tripod, "a field of etcd 3.6"),
    ("cluster/*", "dbSizeQuota", only_tripod, "a field of etcd 3.6"),
    ("cluster/*", "downgradeInfo", only_tripod, "a field of etcd 3.6"),
    ("cluster/snapshot/snapshot", "version", only_tripod, "a field of etcd 3.6"),
    ("cluster/snapshot/snapshot", "header*", anything, "etcd leaves the header out that rpc.proto promises"),
    ("*/*hash*", "*hash_revision", only_tripod, "a field of etcd 3.6"),
    ("kv/range_orders/order *", "*", anything, "etcd 3.6 refuses an order that is none; 3.5 takes it for NONE"),
    ("txn/refusals/bad order", "*", anything, "the same"),
    ("users/may/* asks for root's role", "perm*", only_tripod, "etcd 3.6 shows what root may do"),
    ("users/*/* bearer*", "*", anything, "newer releases of etcd 3.5 and 3.6 take `Bearer TOKEN`, the peer does not yet"),
    ("users/may/alice hashes", "*", anything, "etcd 3.6 has the error of the API; 3.5 lets an inner one out"),
    ("users/may/alice takes a snapshot", "*", anything, "the same"),
    ("users/gateway/*", "*", anything,
     "etcd closes the gateway to certificates with a name while authentication is on; tripod goes by the token there, never by "
     "the name"),
    ("gateway/*", "headers.grpc-metadata-content-type", lambda etcd, tripod: tripod == MISSING,
     "etcd adds it to errors over TLS, and not without; tripod never does"),
    ("txn/refusals/put in a range to the end", "*", anything,
     "etcd overlooks that a range to the end holds the key; tripod refuses it as it refuses a bounded range"),
    ("hashes/hash/-1", "hash", anything, "etcd hashes nothing up to a negative revision; tripod takes it for none given"),
    ("hashes/hash/the compacted revision", "*", anything,
     "etcd answers with what it kept of that compaction: the hash with the revision that was compacted before"),
    ("*", "text", less_detail, "the detail of Go's protobuf library about bytes that are no message"),
    ("*", "[[]0[]].text", less_detail, "the same"),
    ("gateway/errors/*", "body[[]0[]].message", less_place, "Go's protojson tells line and column"),
    ("cluster/http/*metrics", "headers.content-type", lambda etcd, tripod: etcd == f"{tripod}; escaping=underscores",
     "a parameter of newer Prometheus libraries in Go"),
]


def sort_out(differences):
    """(differences without a reason, rows that met none)."""
    met, unexplained = set(), []
    for difference in differences:
        where, place, etcd, tripod = difference
        row = next((n for n, (steps, places, test, _) in enumerate(JUSTIFIED)
                    if fnmatchcase(where, steps) and fnmatchcase(place, places) and test(etcd, tripod)), None)
        if row is None:
            unexplained.append(difference)
        else:
            met.add(row)
    return unexplained, [row for n, row in enumerate(JUSTIFIED) if n not in met]
