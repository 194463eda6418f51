"""The JSON gateway: the same services by HTTP, in the form of protobuf's JSON mapping with its own names."""

import base64

from kv import put


def b64(text):
    return base64.b64encode(text.encode()).decode()


def test_kv(s):
    s.gateway("put", "kv/put", {"key": b64("g/a"), "value": b64("1")})
    s.gateway("put with prev_kv", "kv/put", {"key": b64("g/a"), "value": b64("2"), "prev_kv": True})
    s.gateway("put in camel case", "kv/put", {"key": b64("g/b"), "value": b64("2"), "prevKv": True})
    s.gateway("range", "kv/range", {"key": b64("g/"), "range_end": b64("g0")})
    s.gateway("range with words", "kv/range", {"key": b64("g/"), "range_end": b64("g0"), "sort_order": "DESCEND",
                                               "sort_target": "MOD", "limit": "1"})
    s.gateway("range with numbers", "kv/range", {"key": b64("g/"), "range_end": b64("g0"), "sort_order": 2, "limit": 1})
    s.gateway("count", "kv/range", {"key": b64("g/"), "range_end": b64("g0"), "count_only": True})
    s.gateway("nothing", "kv/range", {"key": b64("none")})
    s.gateway("revision as a number", "kv/range", {"key": b64("g/a"), "revision": 2})
    s.gateway("txn", "kv/txn", {
        "compare": [{"key": b64("g/a"), "target": "VALUE", "result": "EQUAL", "value": b64("2")}],
        "success": [{"request_put": {"key": b64("g/c"), "value": b64("3")}}, {"request_range": {"key": b64("g/c")}},
                    {"request_delete_range": {"key": b64("g/none")}}, {"request_txn": {}}],
        "failure": []})
    s.gateway("txn, else", "kv/txn", {"compare": [{"key": b64("g/a"), "target": "CREATE", "createRevision": "1"}],
                                      "failure": [{"requestRange": {"key": b64("g/a")}}]})
    s.gateway("delete", "kv/deleterange", {"key": b64("g/c"), "prev_kv": True})
    s.gateway("compact the future", "kv/compaction", {"revision": "1000000000"})
    s.gateway("get no key", "kv/range", {})
    s.gateway("empty body", "kv/range", "")
    s.gateway("future", "kv/range", {"key": b64("g/a"), "revision": "1000000000"})


def test_rest(s):
    s.gateway("grant", "lease/grant", {"TTL": "500", "ID": "6001"})
    s.gateway("grant again", "lease/grant", {"TTL": 500, "ID": 6001})
    s.gateway("time to live", "lease/timetolive", {"ID": "6001", "keys": True}, clean=without("TTL"))
    s.gateway("older path", "kv/lease/timetolive", {"ID": "6001"}, clean=without("TTL"))
    s.gateway("keep alive", "lease/keepalive", {"ID": "6001"})
    s.gateway("keep none alive", "lease/keepalive", {"ID": "4"})
    s.gateway("revoke", "lease/revoke", {"ID": "6001"})
    s.gateway("revoke again", "kv/lease/revoke", {"ID": "6001"})
    s.gateway("leases", "lease/leases", {}, clean=without("leases"))
    s.gateway("alarms", "maintenance/alarm", {"action": "GET"})
    s.gateway("hash", "maintenance/hashkv", {}, clean=without("hash"))
    s.gateway("roles", "auth/role/list", {})
    s.gateway("no such user", "auth/user/get", {"name": "none"})
    s.gateway("auth status", "auth/status", {})
    s.gateway("no leader", "election/leader", {"name": b64("office")})
    s.gateway("no lock", "lock/unlock", {"key": b64("none")})


def without(name):
    def clean(answer):
        body = answer["body"][0]
        if isinstance(body, dict) and name in body:
            answer = {**answer, "body": [{**body, name: "is there"}]}
        return answer
    return clean


def test_watch(s):
    now = int(put(s, "g/w", "1")["header"]["revision"])
    s.gateway("past", "watch", {"create_request": {"key": b64("g/w"), "start_revision": str(now)}}, lines=2)
    s.gateway("past in camel case", "watch", {"createRequest": {"key": b64("g/w"), "startRevision": now}}, lines=2)
    s.gateway("empty range", "watch", {"create_request": {"key": b64("b"), "range_end": b64("a")}}, lines=1)


def test_errors(s):
    for label, body in {"bad JSON": "{", "a list": "[1]", "a string": '"x"', "null": "null", "an unknown field": {"nothing": 1},
                        "bad base64": {"key": "*"}, "base64 without padding": {"key": "YQ"}, "base64 of URLs": {"key": "_-8="},
                        "a number as bytes": {"key": 1}, "a word as a number": {"key": "YQ==", "limit": "many"},
                        "a fraction": {"key": "YQ==", "limit": 1.5}, "a whole fraction": {"key": "YQ==", "limit": 1.0},
                        "too large a number": {"key": "YQ==", "limit": "9223372036854775808"},
                        "an unknown word": {"key": "YQ==", "sort_order": "UP"}, "a word as bool": {"key": "YQ==", "keys_only": "true"},
                        "a null field": {"key": "YQ==", "limit": None}, "a field twice": '{"key":"YQ==","key":"Yg=="}',
                        "more behind it": '{"key":"YQ=="} x', "both cases": {"key": "YQ==", "range_end": "Yg==", "rangeEnd": "Yg=="},
                        }.items():
        s.gateway(label, "kv/range", body)
    s.gateway("no such path", "none", {})
    s.gateway("no such method", "kv/none", {})
    s.http("GET", "GET", "/v3/kv/range")
    s.http("PUT", "PUT", "/v3/kv/range", {"key": "YQ=="})
    s.http("v3beta", "POST", "/v3beta/kv/range", {"key": "YQ=="})
    s.http("v3alpha", "POST", "/v3alpha/kv/range", {"key": "YQ=="})
    s.http("v2", "GET", "/v2/keys/a")
    s.gateway("another content type", "kv/range", '{"key":"YQ=="}', headers={"Content-Type": "text/plain"})
    s.gateway("too large", "kv/put", {"key": b64("big"), "value": b64("x" * 1_600_000)})
