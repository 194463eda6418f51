"""The dependency diagram of the house: who may include and link whom.

cli, main -> appliance -> node -> update, balancer, scheduler, controllers -> election, apiserver -> kube, etcd -> platform
"""

import re

from source import Finding, includes_of, is_cpp, line_of

BASE = {"platform/base"}
OS = BASE | {"platform/os"}
FLOW = OS | {"platform/async"}

# folder -> folders it may use, beside itself. A sub-folder belongs to the longest name that is listed.
PLATFORM = {
    "platform/base": set(),
    "platform/os": BASE | {"platform/async"},
    "platform/async": OS,
    "platform/json": BASE,
    "platform/ini": OS,
    "platform/sqlite": OS,
    "platform/pki": OS | {"platform/tls"},
    "platform/tls": FLOW | {"platform/pki"},
    "platform/http": FLOW | {"platform/tls"},
    "platform/grpc": FLOW | {"platform/tls", "platform/http"},
    "platform/websocket": FLOW | {"platform/tls", "platform/http"},
    "platform/linux": FLOW | {"platform/sqlite", "platform/tls"},
    "platform/sim": FLOW | {"platform/sqlite", "platform/tls"},
    "platform/boards": FLOW | {"platform/linux"},
}
PORTS = {"platform/linux", "platform/sim", "platform/boards"}  # only what composes a program picks one
PLAIN = set(PLATFORM) - PORTS

FIRMWARE = {
    "firmware/etcd": PLAIN,
    "firmware/etcd/raft": BASE | {"platform/sqlite", "firmware/etcd"},
    "firmware/kube": PLAIN,
    "firmware/apiserver": PLAIN | {"firmware/kube", "firmware/etcd"},
    "firmware/election": PLAIN | {"firmware/kube"},
    "firmware/controllers": PLAIN | {"firmware/kube", "firmware/election"},
    "firmware/scheduler": PLAIN | {"firmware/kube", "firmware/election"},
    "firmware/balancer": PLAIN,
}
FIRMWARE["firmware/update"] = PLAIN | {"platform/boards", "firmware/kube", "firmware/apiserver"}
COMPOSED = set(PLATFORM) | set(FIRMWARE)
FIRMWARE |= {
    "firmware/node": COMPOSED,
    # Process 1; the server is its child.
    "firmware/appliance": set(PLATFORM) | {"firmware/node", "firmware/update"},
    "firmware/cli": COMPOSED | {"firmware/node", "firmware/appliance"},
    "firmware": COMPOSED | {"firmware/node", "firmware/appliance", "firmware/cli"},  # main.cpp
}
TOOLS = {"tools": set(PLATFORM) | {"firmware/kube"}, "tools/etcd-load": set(PLATFORM) | {"firmware/etcd"}}
ALLOWED = PLATFORM | FIRMWARE | TOOLS

# Through these names only: (user, used) -> allowed prefixes of included files.
DOORS = {
    ("tools/etcd-load", "firmware/etcd"): ("firmware/etcd/api/",),
    ("firmware/update", "firmware/apiserver"): ("firmware/apiserver/auth/identity.h",),
    ("firmware/apiserver", "firmware/etcd"): ("firmware/etcd/client.h", "firmware/etcd/api/"),
    ("firmware/etcd/raft", "firmware/etcd"): ("firmware/etcd/raft/", "firmware/etcd/api/wire.h"),
}

# Deciding code: files -> the only places they may include from.
PURE = [(r"firmware/etcd/raft/(?!log_store/|codec)", ("firmware/etcd/raft/", "platform/base/"))]

# library -> (headers, folders that wrap it)
LIBRARIES = {
    "uv": (r"uv\.h|uv/", {"platform/linux"}),
    "mbedtls": (r"mbedtls/|psa/", {"platform/tls", "platform/pki"}),
    "sqlite": (r"sqlite3\.h", {"platform/sqlite", "platform/linux", "platform/sim"}),
    "inih": (r"ini\.h|INIReader\.h", {"platform/ini"}),
    "nghttp2": (r"nghttp2/", {"platform/http"}),
    "llhttp": (r"llhttp\.h", {"platform/http"}),
    "boost_json": (r"boost/", {"platform/json"}),
    "zlib": (r"zlib\.h", {"platform/http"}),
    "gtest": (r"gtest/|gmock/", set()),
}


def folder_of(path):
    """The listed folder that `path` belongs to, or its first two parts when none is."""
    parts = path.split("/")
    if len(parts) == 2 and parts[0] == "firmware":
        return "firmware"
    for length in range(len(parts) - 1, 0, -1):
        name = "/".join(parts[:length])
        if name in ALLOWED and name != "firmware":
            return name
    return "/".join(parts[:2])


def may_use(user, used):
    if user == used or used in ALLOWED[user]:
        return True
    # A part of a folder and its whole are one layer, unless the part has a stricter row of its own.
    return used.startswith(user + "/") or any(used.startswith(a + "/") for a in ALLOWED[user])


def problem(user_path, used_path):
    user, used = folder_of(user_path), folder_of(used_path)
    if user not in ALLOWED:
        return f"{user} is not in the diagram; give it a row in tests/lint/layers.py"
    if used not in ALLOWED:
        return f"{used} is not in the diagram; give it a row in tests/lint/layers.py"
    if not may_use(user, used):
        return f"{user} must not use {used} (the diagram is in tests/lint/layers.py)"
    for (who, whose), doors in DOORS.items():
        if user == who and used.startswith(whose) and not used_path.startswith(doors):
            return f"{user} reaches {whose} only through {' and '.join(doors)}"
    return None


def impure(path, used_path):
    for files, allowed in PURE:
        if re.match(files, path) and not used_path.startswith(allowed):
            return f"deciding code is pure and includes only {' and '.join(allowed)}"
    return None


def check_includes(path, text):
    for line, name, is_system in includes_of(text):
        if is_system:
            for library, (headers, folders) in LIBRARIES.items():
                if re.match(headers, name) and folder_of(path) not in folders and not path.startswith("tests/"):
                    where = ", ".join(sorted(folders)) or "tests"
                    yield Finding(path, line, f"<{name}>: {library} is wrapped by {where}; use its interface")
        elif not name.startswith(("firmware/", "platform/", "tools/", "tests/")):
            yield Finding(path, line, f'"{name}": write the path from the root of the tree')
        elif not path.startswith("tests/"):
            if name.startswith("tests/"):
                yield Finding(path, line, f'"{name}": the product knows nothing of its tests')
            elif found := problem(path, name) or impure(path, name):
                yield Finding(path, line, found)


DECLARATION = re.compile(r"tripod_(library|program)\(\s*(\S+)([^)]*)\)")


def check_links(tree):
    """The CMake edges, target by target."""
    lists = {p: re.sub(r"#[^\n]*", "", t) for p, t in tree.items()
             if p.endswith("CMakeLists.txt") and not p.startswith("tests/")}
    home = {}
    for path, text in lists.items():
        for kind, name, _ in DECLARATION.findall(text):
            if kind == "library":
                home[f"tripod_{name}"] = path
    for path, text in lists.items():
        for match in DECLARATION.finditer(text):
            line = line_of(text, match.start())
            for target in match.group(3).partition("DEPS")[2].split():
                folder = folder_of(path)
                if target.startswith("dep_"):
                    _, folders = LIBRARIES.get(target[4:], ("", set()))
                    if folder not in folders:
                        yield Finding(path, line, f"{folder} must not link {target}")
                elif target in home:
                    user, used = folder_of(path), folder_of(home[target])
                    if user not in ALLOWED or used not in ALLOWED:
                        missing = user if user not in ALLOWED else used
                        yield Finding(path, line, f"{missing} is not in the diagram of tests/lint/layers.py")
                    elif not may_use(user, used):
                        yield Finding(path, line, f"{user} must not link {target} of {used}")
                elif target.startswith("tripod_"):
                    yield Finding(path, line, f"{target} is declared by no tripod_library")


def check(tree):
    for path, text in tree.items():
        if is_cpp(path) and path.startswith(("firmware/", "platform/", "tools/", "tests/")):
            yield from check_includes(path, text)
    yield from check_links(tree)


BAD = [
    ({"platform/http/a.cpp": '#include "firmware/kube/object.h"\n'}, "platform/http must not use firmware/kube"),
    ({"platform/base/a.h": '#include "platform/os/clock.h"\n'}, "platform/base must not use platform/os"),
    ({"firmware/etcd/rpc/a.cpp": '#include "firmware/kube/object.h"\n'}, "must not use firmware/kube"),
    ({"firmware/etcd/raft/core.cpp": '#include "platform/os/clock.h"\n'}, "firmware/etcd/raft must not use"),
    ({"firmware/etcd/raft/core.cpp": '#include "platform/sqlite/database.h"\n'}, "deciding code is pure"),
    ({"firmware/etcd/raft/codec.cpp": '#include "firmware/etcd/member.h"\n'}, "only through firmware/etcd/raft/"),
    ({"firmware/controllers/a.cpp": '#include "firmware/etcd/client.h"\n'}, "must not use firmware/etcd"),
    ({"firmware/apiserver/a.cpp": '#include "firmware/etcd/member.h"\n'}, "only through firmware/etcd/client.h"),
    ({"firmware/balancer/a.cpp": '#include "firmware/kube/object.h"\n'}, "must not use firmware/kube"),
    ({"firmware/apiserver/a.cpp": '#include "platform/linux/loop.h"\n'}, "must not use platform/linux"),
    ({"tools/hollow-node/a.cpp": '#include "firmware/apiserver/store.h"\n'}, "tools must not use firmware/apiserver"),
    ({"firmware/other/a.cpp": '#include "platform/base/bytes.h"\n'}, "is not in the diagram"),
    ({"firmware/kube/a.cpp": "#include <boost/json.hpp>\n"}, "boost_json is wrapped by platform/json"),
    ({"platform/os/a.cpp": "#include <uv.h>\n"}, "uv is wrapped by platform/linux"),
    ({"platform/os/a.cpp": '#include "clock.h"\n'}, "write the path from the root"),
    ({"firmware/etcd/CMakeLists.txt": "tripod_library(etcd SOURCES a.cpp\n  DEPS tripod_kube)\n",
      "firmware/kube/CMakeLists.txt": "tripod_library(kube SOURCES b.cpp)\n"}, "must not link tripod_kube"),
    ({"firmware/etcd/CMakeLists.txt": "tripod_library(etcd SOURCES a.cpp DEPS dep_uv)\n"}, "must not link dep_uv"),
]
GOOD = [
    {"firmware/apiserver/a.cpp": '#include "firmware/etcd/client.h"\n#include "firmware/kube/object.h"\n'},
    {"firmware/main.cpp": '#include "firmware/cli/cli.h"\n#include "platform/linux/loop.h"\n'},
    {"firmware/kube/a.cpp": '// #include "firmware/etcd/client.h"\n'},
    {"firmware/etcd/member.cpp": '#include "firmware/etcd/raft/core.h"\n#include "firmware/etcd/mvcc/store.h"\n'},
]
