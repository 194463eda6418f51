"""Sizes: functions, files, lines, READMEs."""

from source import Finding, is_cpp, scan

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 800
README_LINES_MAX = 200
COLUMNS_MAX = 100
BUILD_COLUMNS_MAX = 120  # of CMake and shell, which nothing wraps for us
CODE = (".cpp", ".h", ".cmake", "CMakeLists.txt", ".sh")


def check(tree):
    for path, text in tree.items():
        lines = text.split("\n")
        if path.endswith("README.md") and len(lines) - 1 > README_LINES_MAX:
            yield Finding(path, README_LINES_MAX + 1, f"over {README_LINES_MAX} lines; move depth beside the code")
        if path.endswith((*CODE, ".py")) and len(lines) - 1 > FILE_LINES_MAX:
            yield Finding(path, FILE_LINES_MAX + 1, f"over {FILE_LINES_MAX} lines; split it")
        if path.endswith(CODE):
            columns = COLUMNS_MAX if is_cpp(path) else BUILD_COLUMNS_MAX
            raw = False  # inside a raw string, which nobody may wrap
            for number, line in enumerate(lines, 1):
                unbreakable = raw or 'R"' in line or "://" in line
                raw = ('R"' in line or raw) and ')"' not in line and ')json"' not in line
                if len(line) > columns and not unbreakable:
                    yield Finding(path, number, f"{len(line)} columns; at most {columns}")
        if is_cpp(path):
            for function in scan(text)[0]:
                size = function.last_line - function.first_line + 1
                if size > FUNCTION_LINES_MAX:
                    name = " ".join(function.header.split())[:60]
                    yield Finding(path, function.first_line,
                                  f"`{name}` has {size} lines; at most {FUNCTION_LINES_MAX}, push ifs up and fors down")


def body(lines):
    return "".join("  g();\n" for _ in range(lines))


BAD = [
    ({"a.cpp": "int f(\n    int a) {\n" + body(69) + "}\n"}, "has 72 lines"),
    ({"a.cpp": "namespace x {\nclass A {\n  int f() const {\n    if (a) {\n" + body(70) + "    }\n  }\n};\n}\n"},
     "has 74 lines"),
    ({"a.h": "int a;\n" * 801}, "over 800 lines"),
    ({"x/README.md": "word\n" * 201}, "over 200 lines"),
    ({"a.cpp": "// " + "x" * 98 + "\n"}, "101 columns"),
]
GOOD = [
    {"a.cpp": "int f(int a) {\n" + body(68) + "}\n"},
    {"a.cpp": "namespace x {\nconst int table[] = {\n" + "  1,\n" * 200 + "};\n}\n"},
    {"a.cpp": "struct A {\n" + "  int f() { return 1; }\n" * 200 + "};\n"},
]
