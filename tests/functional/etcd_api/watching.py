"""Watch: many watches on one stream, past, future and compacted starts, filters, fragments, progress, and refusals."""

from kv import put, revision

ALL = {"key": "w/", "range_end": "w0"}


def create(**request):
    return {"create_request": request}


def test_basics(s):
    w = s.stream("stream")
    w.send(create(key="w/a")).receive("one key")
    w.send(create(**ALL, prev_kv=True)).receive("prefix")
    w.send(create(key="w/b", range_end="\0")).receive("from key on")
    w.send(create(key="", range_end="\0")).receive("everything")
    put(s, "w/a", "1")
    by_id(w, "a put", 3)
    put(s, "w/a", "2")
    by_id(w, "a second put", 3)
    s.ask("KV/DeleteRange", {"key": "w/a"})
    by_id(w, "a deletion", 3)
    s.ask("KV/DeleteRange", {"key": "w/a"})
    w.quiet("nothing to delete, nothing to tell")
    s.ask("KV/Txn", {"success": [{"request_put": {"key": f"w/{n}", "value": n}} for n in "abc"]})
    by_id(w, "a transaction", 4)
    s.ask("KV/DeleteRange", ALL)
    by_id(w, "many deletions", 4)
    w.send({"cancel_request": {"watch_id": 1}}).receive("cancelled")
    w.send({"cancel_request": {"watch_id": 1}}).quiet("cancelled twice")
    w.send({"cancel_request": {"watch_id": 77}}).quiet("cancelled what is not there")
    put(s, "w/a", "3")
    by_id(w, "without it", 2)
    w.send(create(key="w/a", range_end="w/b")).receive("the next id")
    w.send({"progress_request": {}}).receive("progress of a stream")
    w.end().quiet("the client asks for nothing more")
    put(s, "w/a", "4")
    by_id(w, "it still listens", 3)
    w.cancel()
    w.receive("cancelled by the client")


def by_id(w, label, count):
    """Watches of one stream are told in no particular order of each other."""
    got = []
    for n in range(count):
        try:
            got.append(w.incoming.get(timeout=20))
        except Exception:  # noqa: BLE001 - Empty
            got.append({"nothing": "within 20 s"})
            break
    got.sort(key=lambda m: m.get("watch_id", 0))
    w.session.record(f"{w.label}: {label}", w.method, {}, got)



def test_starts(s):
    revisions = [put(s, f"w/{key}", str(n))["header"]["revision"] for n, key in enumerate("abcabc")]
    revisions.append(s.ask("KV/DeleteRange", ALL)["header"]["revision"])
    w = s.stream("past")
    for start in (revisions[0], revisions[3], revisions[6]):
        w.send(create(**ALL, start_revision=start)).receive(f"created at {start - revisions[0]}")
        w.receive(f"told from {start - revisions[0]}")
    w.send(create(**ALL, start_revision=revisions[0], prev_kv=True)).receive("with prev_kv")
    w.receive("told with prev_kv")
    w.send(create(key="w/b", start_revision=revisions[0])).receive("one key")
    w.receive("told of one key")
    w.cancel()
    w = s.stream("future")
    now = revision(s)
    w.send(create(**ALL, start_revision=now + 3)).receive("created")
    put(s, "w/a", "too early")
    put(s, "w/a", "too early, too")
    put(s, "w/a", "now")
    w.receive("told")
    w.send(create(**ALL, start_revision=now + 100)).receive("far away")
    w.send(create(**ALL, start_revision=now + 4)).receive("the next one")
    w.send({"progress_request": {}})
    put(s, "w/b", "next")
    w.cancel()
    s.ask("KV/Compact", {"revision": revisions[5], "physical": True})
    w = s.stream("compacted")
    w.send(create(**ALL, start_revision=revisions[2])).receive("created")
    w.receive("cancelled")
    w.send(create(**ALL, start_revision=revisions[5])).receive("the compacted revision itself")
    w.receive("told from there on")
    w.send(create(**ALL, start_revision=1)).receive("from the first revision")
    w.receive("cancelled from the first revision")
    w.send(create(**ALL, start_revision=-1)).receive("from a negative one")
    w.quiet("no more")
    w.cancel()


def test_filters(s):
    w = s.stream("noput")
    w.send(create(**ALL, filters=["NOPUT"])).receive("created")
    n = s.stream("nodelete")
    n.send(create(**ALL, filters=["NODELETE"])).receive("created")
    b = s.stream("both")
    b.send(create(**ALL, filters=["NOPUT", "NODELETE"], progress_notify=True)).receive("created")
    p = s.stream("packed")
    p.send(create(**ALL, filters=["NOPUT", "NOPUT"])).receive("created")
    u = s.stream("unknown")
    u.send(create(**ALL, filters=[7])).receive("created")
    put(s, "w/a", "1")
    s.ask("KV/DeleteRange", {"key": "w/a"})
    w.receive("the deletion")
    p.receive("the deletion")
    n.receive("the put")
    u.receive("everything", 2)
    s.ask("KV/Txn", {"success": [{"request_put": {"key": "w/b"}}, {"request_delete_range": {"key": "w/a"}}]})
    n.receive("the put of a transaction")
    for stream in (w, n, p):
        stream.quiet("no more")
        stream.cancel()
    for stream in (b, u):
        stream.cancel()


def test_ids(s):
    w = s.stream("stream")
    w.send(create(key="w/a", watch_id=5)).receive("chosen")
    w.send(create(key="w/b", watch_id=5)).receive("taken")
    w.send(create(key="w/b")).receive("by the server")
    w.send(create(key="w/c", watch_id=1)).receive("chosen, the server's next")
    w.send(create(key="w/d")).receive("by the server, beside it")
    w.send({"cancel_request": {"watch_id": 5}}).receive("cancelled")
    w.send(create(key="w/e", watch_id=5)).receive("chosen again")
    w.send(create(key="w/f", watch_id=-3)).receive("negative")
    w.send(create(key="w/f", watch_id=-1)).receive("minus one")
    put(s, "w/e", "1")
    w.receive("told")
    w.cancel()


def test_refusals(s):
    w = s.stream("stream")
    w.send(create(key="w/b", range_end="w/a")).receive("end before begin")
    w.send(create(key="w/b", range_end="w/b")).receive("end is begin")
    w.send(create()).receive("no key")
    w.send(create(key="w/x")).receive("after all that")
    w.send({}).quiet("a request for nothing")
    put(s, "w/x", "1")
    w.receive("told")
    w.send(b"\xff\xff\xff").receive("what is no message")


def test_progress(s):
    w = s.stream("stream")
    w.send({"progress_request": {}}).quiet("without a watch", 1.0)
    w.send(create(**ALL)).receive("created")
    w.send({"progress_request": {}}).receive("synced")
    put(s, "elsewhere", "x")
    w.send({"progress_request": {}}).receive("after another key")
    put(s, "w/a", "1")
    w.receive("an event")
    w.send({"progress_request": {}}).receive("after an event")
    w.cancel()
    n = s.stream("notify")
    n.send(create(key="w/never", progress_notify=True)).receive("created")
    n.receive("by interval", timeout=5)
    n.cancel()


def test_large(s):
    w = s.stream("whole")
    w.send(create(key="f/", range_end="f0")).receive("created")
    f = s.stream("fragments")
    f.send(create(key="f/", range_end="f0", fragment=True)).receive("created")
    start = revision(s) + 1
    for n in range(3):
        put(s, f"f/{n}", str(n) * 900_000)
    for stream in (w, f):
        stream.receive("as it happens", 3)
        stream.cancel()
    p = s.stream("past in fragments")
    p.send(create(key="f/", range_end="f0", fragment=True, start_revision=start)).receive("created")
    p.receive("parts", 2)
    p.cancel()
    q = s.stream("past as a whole")
    q.send(create(key="f/", range_end="f0", start_revision=start)).receive("created")
    q.receive("all")
    q.cancel()
    s.ask("KV/DeleteRange", {"key": "f/", "range_end": "f0"})


def test_many(s):
    """A hundred watches on one stream, each told of its own."""
    w = s.stream("stream")
    for n in range(100):
        w.send(create(key=f"m/{n:03}"))
    w.receive("created", 100)
    for n in range(99, -1, -1):
        put(s, f"m/{n:03}", str(n))
    by_id(w, "told", 100)
    w.cancel()


def test_each_member_tells(s):
    streams = []
    for at in range(1, len(s.endpoints) + 1):
        w = s.stream(f"member {at}", at=at, metadata=(("hasleader", "true"),))
        w.send(create(key="e/")).receive("created")
        streams.append(w)
    put(s, "e/", "1")
    for w in streams:
        w.receive("told")
        w.cancel()
