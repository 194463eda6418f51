"""The shape of the tree: READMEs, explicit sources, headers that introduce themselves, no traces of one machine."""

import re

from source import Finding, in_product, is_cpp, line_of

# Spelled so that this file passes itself.
MACHINE_PATHS = re.compile(r"(?<![\w.$}])/(?:" + "|".join(["wo" + "rk", "ho" + "me", "ro" + "ot", "Us" + "ers"]) + r")/\w")
UNFINISHED = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")


def folders_with_code(tree):
    return sorted({p.rsplit("/", 1)[0] for p in tree if is_cpp(p) and in_product(p) and p.count("/") >= 2})


def check_folder(folder, tree):
    if f"{folder}/README.md" not in tree:
        yield Finding(folder, 1, "no README.md: what it does, its entry point, what it must not know")
    sources = [p for p in tree if p.endswith(".cpp") and p.rsplit("/", 1)[0] == folder]
    if not sources:
        return
    above = folder
    while "tripod_library" not in tree.get(f"{above}/CMakeLists.txt", ""):
        above = above.rpartition("/")[0]
        if not above:
            yield Finding(folder, 1, "no CMakeLists.txt with a tripod_library")
            return
    listing = tree[f"{above}/CMakeLists.txt"]
    named = set(re.findall(r"[\w./-]+\.cpp", listing))
    for path in sources:
        if path[len(above) + 1:] not in named:
            yield Finding(path, 1, f"not among the sources of {above}/CMakeLists.txt")


def check(tree):
    for folder in folders_with_code(tree):
        yield from check_folder(folder, tree)
    for path, text in tree.items():
        if path.endswith("CMakeLists.txt") and re.search(r"\bfile\s*\(\s*GLOB", text):
            yield Finding(path, line_of(text, text.index("GLOB")), "name the sources, do not glob")
        if path.endswith(".h") and in_product(path):
            if not re.match(r"#pragma once\n// \S", text):
                yield Finding(path, 1, "starts with `#pragma once` and a paragraph: what it is, promises, lives")
        for match in MACHINE_PATHS.finditer(text):
            yield Finding(path, line_of(text, match.start()), f"`{match.group()}`: a path of one machine")
        for match in UNFINISHED.finditer(text):
            yield Finding(path, line_of(text, match.start()), f"`{match.group()}`: finish it or write an issue")


CMAKE = "tripod_library(a SOURCES a.cpp)\n"
BAD = [
    ({"platform/a/a.cpp": "", "platform/a/CMakeLists.txt": CMAKE}, "no README.md"),
    ({"platform/a/a.cpp": "", "platform/a/README.md": ""}, "no CMakeLists.txt"),
    ({"platform/a/b.cpp": "", "platform/a/README.md": "", "platform/a/CMakeLists.txt": CMAKE}, "not among the sources"),
    ({"platform/a/CMakeLists.txt": "file(GLOB sources *.cpp)\n"}, "do not glob"),
    ({"platform/a/a.h": "#pragma once\n#include <x>\n"}, "and a paragraph"),
    ({"x.md": "see /ho" + "me/me/x\n"}, "a path of one machine"),
    ({"x.md": "TO" + "DO later\n"}, "finish it"),
]
GOOD = [
    {"platform/a/a.cpp": "", "platform/a/README.md": "", "platform/a/CMakeLists.txt": CMAKE,
     "platform/a/a.h": "#pragma once\n// A thing.\n"},
    {"firmware/a/b/c.cpp": "", "firmware/a/b/README.md": "", "firmware/a/CMakeLists.txt": "tripod_library(a SOURCES b/c.cpp)"},
]
