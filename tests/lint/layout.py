"""clang-format 19 over all C++, and a parse of every script."""

import ast
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from source import ROOT, Finding, is_cpp

FORMATTER = "clang-format-19"


def check_cpp(item):
    path, text = item
    done = subprocess.run([FORMATTER, f"--assume-filename={ROOT / path}"], input=text, capture_output=True,
                          text=True, check=True)
    if done.stdout == text:
        return None
    pairs = zip(text.split("\n"), done.stdout.split("\n"))
    line = next((n for n, (a, b) in enumerate(pairs, 1) if a != b), 1)
    return Finding(path, line, "not formatted; run tools/format")


def check_script(path, text):
    if path.endswith(".py") or text.startswith("#!/usr/bin/env python3"):
        try:
            ast.parse(text)
        except SyntaxError as error:
            yield Finding(path, error.lineno or 1, f"python: {error.msg}")
    elif path.endswith(".sh") or text.startswith(("#!/bin/bash", "#!/bin/sh")):
        done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
        if done.returncode != 0:
            yield Finding(path, 1, f"shell: {done.stderr.strip()}")


def check(tree):
    cpp = [(p, t) for p, t in tree.items() if is_cpp(p)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from filter(None, pool.map(check_cpp, cpp))
    for path, text in tree.items():
        yield from check_script(path, text)


BAD = [
    ({"a.cpp": "int  f( ) {return 1;}\n"}, "not formatted"),
    ({"a.py": "def f(:\n"}, "python:"),
    ({"tools/a": "#!/bin/bash\nif true; then\n"}, "shell:"),
]
GOOD = [{"a.cpp": "int f();\n", "a.py": "x = 1\n", "b.sh": "true\n"}]
