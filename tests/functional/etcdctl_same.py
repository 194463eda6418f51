"""etcdctl's subcommands, 3.5 and 3.4, against three real etcd and against three of tripod's members: the same output, errors and
exit codes. (Members, defragmentation and whole snapshots have stories of their own.)"""

import concurrent.futures
import json
import re
import shlex

from harness import Background, Failure, run, wait_for
from pair import start_both

CLUSTER = False
BOARDS = 1
TOPOLOGIES = ("external-tripod",)

# One command a line; `<<< TEXT` is its input. {revision} is the one at which the list begins, {lease} the last one granted.
COMMANDS = r"""
put a 1
put a 2 --prev-kv
put a 3 -w json
put b 5
put c <<< from standard input
put a --ignore-value
put a x --ignore-value
put none --ignore-value
put a 4 --lease=12345
put "" x
put -- -dash value
get a
get a -w json
get a -w fields
get a --print-value-only
get none -w json
get "" --from-key --limit=2
get b --from-key --keys-only
get a c
get a c --order=DESCEND
get "" --prefix --order=ASCEND --sort-by=VALUE --keys-only
get "" --prefix --order=DESCEND --sort-by=VERSION --print-value-only
get "" --prefix --sort-by=MODIFY --keys-only
get "" --prefix --order=UP
get "" --prefix --count-only -w fields
get a --rev={revision_1} --print-value-only
get a --rev=1
get a --rev=100000000
get a --consistency=s
del none
del a --prev-kv
del b d --prev-kv
put d/1 x
put d/2 x
put d/3 x
del d/ --prefix
put e x
put f x
del e --from-key
del e --from-key -w json
put t on
txn <<< value("t") = "on"\n\nput t off\nget t\n\nput t broken\n\n
txn -w json <<< mod("t") > "0"\n\nget t\ndel t --prev-kv\n\n\n
txn <<< version("t") > "0"\n\nput t x\n\nget t\nput t else\n\n
txn -i <<< create("none") = "0"\n\nput t i\n\n\n
txn <<< version("t") > "0"\n\nput u a\nput u b\n\n\n
txn <<< nonsense\n\n\n\n
compaction {revision_5}
compaction {revision_5}
compaction 100000000
compaction {revision_6} --physical
get t --rev={revision_5}
lease grant 300
lease timetolive {lease}
put l/1 x --lease={lease}
put l/2 x --lease={lease}
lease timetolive {lease} --keys
lease timetolive {lease} --keys -w json
lease keep-alive --once {lease}
lease keep-alive --once {lease} -w json
lease list
lease list -w json
put l/1 y --ignore-lease
lease revoke {lease}
lease revoke {lease}
lease timetolive {lease}
lease keep-alive --once {lease}
get l/ --prefix
lease grant 0
lease grant -- -1
lock lock -- echo held
lock lock --ttl=5 -- sh -c "exit 3"
lock lock -- sh -c "echo $ETCD_LOCK_KEY $ETCD_LOCK_REV"
member list
member list -w json
member list -w fields
member remove 4
endpoint health
endpoint health --cluster
endpoint health -w json
endpoint status
endpoint status -w json
endpoint status -w table
endpoint status --cluster
endpoint hashkv
endpoint hashkv --cluster -w json
endpoint hashkv --rev={revision_6}
alarm list
alarm disarm
version
get a b c
put a
del
nonsense
watch
watch a --rev=1
"""

USER_COMMANDS = r"""
put a/1 x
put b x
role add reader
role add reader
role grant-permission reader read a/ --prefix
role grant-permission reader readwrite b
role grant-permission reader write c d
role grant-permission reader read z --from-key
role grant-permission none read a
role grant-permission reader all a
role get reader
role get reader -w json
role get none
role list
role revoke-permission reader b
role revoke-permission reader b
role revoke-permission reader z --from-key
user add alice:secret
user add alice:secret
user add bob --no-password
user add carol --interactive=false <<< secret\n
user grant-role alice reader
user grant-role alice none
user grant-role none reader
user get alice
user get alice --detail
user get alice -w json
user get none
user list
user passwd alice --interactive=false <<< changed\n
user revoke-role alice none
auth status
auth enable
user add root:secret
auth enable
user grant-role root root
auth enable
--user=root:secret auth enable
auth status
--user=root:secret auth status
get a/1
--user=alice:secret get a/1
--user=alice:changed get a/1
--user=alice:changed get b
--user=alice:changed put a/1 x
--user=alice:changed get a/ --prefix
--user=alice:changed get "" --prefix
--user=alice:changed user list
--user=alice:changed user get alice
--user=alice:changed member list
--user=alice --password=changed get a/2
--user=bob: get a/1
--user=root:wrong get a/1
--user=root:secret put a/1 y
--user=root:secret user get root --detail
--user=root:secret role list
--user=root:secret user delete root
--user=root:secret role delete root
--user=root:secret compaction 1
--user=alice:changed auth disable
--user=root:secret auth disable
auth disable
user delete alice
user delete carol
user delete bob
user delete root
role delete reader
role delete root
user list
"""


# Where the two say something else on purpose.
DIFFERENT = {"--user=root:secret user get root --detail": "etcd 3.6, whose API tripod has, shows what root may do"}


def in_order(value):
    """Lists of JSON whose order tells nothing: members by id, keys of a lease by chance."""
    if isinstance(value, dict):
        return {key: in_order(inner) for key, inner in value.items()}
    return sorted((in_order(v) for v in value), key=readable) if isinstance(value, list) else value


def readable(value):
    """By name first, since ids differ."""
    return str(value.get("name") or value.get("Endpoint") or value) if isinstance(value, dict) else str(value)


class Ctl:
    """One client against one cluster, with what differs between any two clusters replaced in what it says."""

    def __init__(self, t, client, cluster):
        self.client, self.cluster, self.leases = t.client(client), cluster, []
        self.environment = cluster.etcdctl_environment([cluster.stores[0]])
        self.revision = self.run(["get", "none", "-w", "json"]).json()["header"]["revision"]
        listed = self.run(["member", "list", "-w", "json"]).json()
        self.ids = {listed["header"]["cluster_id"]: "CLUSTER"}
        self.ids |= {m["ID"]: f"MEMBER-{m['name'][-1]}" for m in listed["members"]}

    def run(self, arguments, stdin=None):
        return run([self.client, *arguments], env=self.environment, stdin=stdin, check=False, timeout=30)

    def command(self, line):
        command, _, stdin = line.partition(" <<< ")
        for back in range(9):
            command = command.replace(f"{{revision_{back}}}", str(self.revision + back))
        if "{lease}" in command:
            command = command.replace("{lease}", self.leases[-1])
        done = self.run(shlex.split(command), stdin.encode().decode("unicode_escape") if stdin else "")
        if granted := re.search(r"lease ([0-9a-f]{15,16}) granted", done.out):
            self.leases.append(granted.group(1))
        out = done.out
        if out.startswith(("{", "[")) and not command.startswith("endpoint status"):
            value = in_order(json.loads(out))
            if command.startswith("lease list"):
                mine = {int(lease, 16) for lease in self.leases}
                value["leases"] = [lease for lease in value.get("leases", []) if lease["id"] in mine]
            out = json.dumps(value)
        text = self.clean(f"{out}\n---\n{done.err}")
        if command.startswith("endpoint status"):
            text = re.sub(r"\b(true|false)\b", "BOOL", re.sub(r"\d+(\.\d+)*", "N", text))
            text = re.sub(r"[\u2500-\u257f+-]{3,}", "---", re.sub(" +", " ", text))
        if command == "endpoint hashkv":
            text = re.sub(r", \d+", ", HASH", text)
        if command == "lease list":  # a lock of a moment ago may have left its lease, in no certain place
            text = re.sub(r"found \d+ leases", "found N leases", re.sub(r"(?m)^[0-9a-f]{15,16}\n", "", text))
        if re.search(r"^endpoint|member list|user list|role list|^lease list$", command):
            text = "\n".join(sorted(text.splitlines()))
        return done.code, text

    def clean(self, text):
        for store in self.cluster.stores:
            text = text.replace(store.address, f"ADDRESS-{store.number}")
        for number, name in self.ids.items():
            text = re.sub(rf"\b0*{number:x}\b|\b{number}\b", name, text)
        for number, lease in enumerate(self.leases, 1):
            text = text.replace(lease, f"LEASE-{number}").replace(str(int(lease, 16)), f"LEASE-{number}")
        text = re.sub(r"lease [0-9a-f]{15,16}\b", "lease NEW", text)
        text = re.sub(r"(attached keys\(\[)([^\]]*)", lambda m: m[1] + " ".join(sorted(m[2].split())), text)  # in any order
        text = re.sub(r"\block/[0-9a-f]{15,16}\b", "lock/LEASE", text)
        text = re.sub(r'("ts":|"target":|"caller":|"attempt":|"took":|"logger":) ?("[^"]*"|[\d.]+)', r"\1-", text)
        text = re.sub(r"took = [\d.]+\S+|remaining\(\d+s\)", "TIME", text)
        text = re.sub(r'"(raft_term|ttl)": ?\d+', r'"\1":N', text)
        text = re.sub(r'"(Raft ?Term|TTL)" : \d+', r'"\1" : N', text)
        text = re.sub(r'("peer":)"[^"]*"', r"\1-", text)
        # Keys with leases, whose ids the servers chose, are in it; what is hashed alike, etcd_same tells.
        text = re.sub(r'("hash":) ?\d+', r"\1HASH", text)
        return re.sub(r"ADDRESS-(\d):2379", r"ENDPOINT-\1", text)


def transcript(t, client, cluster, lines):
    ctl = Ctl(t, client, cluster)
    return [(line, *ctl.command(line)) for line in lines]


def compare(t, client, real, ours, lines):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        etcd, tripod = pool.map(lambda cluster: transcript(t, client, cluster, lines), (real, ours))
    problems = []
    for (line, code, text), (_, our_code, our_text) in zip(etcd, tripod):
        if ((code, text) != (our_code, our_text)) != (line in DIFFERENT):
            problems.append(f"{client} {line}\n  etcd {code}: {text}\n  tripod {our_code}: {our_text}")
    if problems:
        raise Failure("\n".join(problems))


def test_keys_leases_and_members(t):
    real, ours = start_both(t)
    for client in ("etcdctl", "etcdctl-3.4"):
        compare(t, client, real, ours, COMMANDS.strip().splitlines())


def test_users(t):
    real, ours = start_both(t)
    for client in ("etcdctl", "etcdctl-3.4"):
        compare(t, client, real, ours, USER_COMMANDS.strip().splitlines())


# Commands that go on: (command, input, how many lines are awaited).
STREAMS = [
    ("watch s/ --prefix --rev={revision}", "", 9),
    ("watch s/1 --rev={revision} --prev-kv", "", 8),
    ("watch s/ --prefix --rev={revision} -w json", "", 1),
    ("watch s/ --prefix --rev={revision} -- sh -c 'echo $ETCD_WATCH_EVENT_TYPE $ETCD_WATCH_KEY $ETCD_WATCH_VALUE'", "", 9),
    ("watch -i", "watch s/ --prefix --rev={revision}\n", 9),
    ("watch -i", "watch s/1 s/3 --rev={revision} -- echo an event\n", 9),
    ("lease keep-alive {lease}", "", 1),
    ("elect office{revision} me", "", 2),
]


def first_lines(ctl, command, stdin, count, revision):
    """What the command says until it has said enough, or nothing more for a while."""
    command = command.replace("{revision}", str(revision)).replace("{lease}", ctl.leases[-1])
    with Background([ctl.client, *shlex.split(command)], env=ctl.environment, stdin=stdin.replace("{revision}", str(revision))) as child:
        wait_for(f"{count} lines of {command}", lambda: len(child.lines) >= count or child.child.poll() is not None, 20)
        return ctl.clean("\n".join(child.lines[:count]))


def streams(t, client, cluster):
    ctl = Ctl(t, client, cluster)
    for line in ("put s/1 a", "put s/2 b", "put s/1 c", "lease grant 60"):
        ctl.command(line)
    return [(command, re.sub(r"(office\d+)/[0-9a-f]+", r"\1/LEASE", first_lines(ctl, command, stdin, count, ctl.revision + 1)))
            for command, stdin, count in STREAMS]


def test_commands_that_go_on(t):
    real, ours = start_both(t)
    for client in ("etcdctl", "etcdctl-3.4"):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            etcd, tripod = pool.map(lambda cluster, name=client: streams(t, name, cluster), (real, ours))
        problems = [f"{client} {command}\n  etcd: {theirs}\n  tripod: {own}"
                    for (command, theirs), (_, own) in zip(etcd, tripod) if theirs != own]
        if problems:
            raise Failure("\n".join(problems))
