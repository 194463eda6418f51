"""The tree that the rules look at, and just enough C++ lexing to look at code without comments and strings."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    message: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.message}"


def load_tree():
    """path -> text of every file git knows or would add."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=True).stdout.decode()
    tree = {}
    for path in sorted(set(filter(None, listing.split("\0")))):
        file = ROOT / path
        if not file.is_file() or file.is_symlink():
            continue
        try:
            tree[path] = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return tree


def is_cpp(path):
    return path.endswith((".cpp", ".h"))


def in_product(path):
    return path.startswith(("firmware/", "platform/"))


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)


def code_of(text):
    """The text with comments, string bodies and character literals blanked; lines and columns stay."""
    def blank(match):
        token = match.group()
        if token.startswith('"') and is_include(text, match.start()):
            return token
        inner = re.sub(r"[^\n]", " ", token)
        if token.startswith(("//", "/*")):
            return inner
        return '"' + inner[1:-1] + '"' if len(inner) >= 2 else inner
    return TOKEN.sub(blank, text)


def is_include(text, position):
    start = text.rfind("\n", 0, position) + 1
    return text[start:position].lstrip().startswith("#include")


def without_preprocessor(code):
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), code,
                  flags=re.MULTILINE)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def includes_of(text):
    """(line, name, is_system) of each #include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', code_of(text), re.MULTILINE):
        yield line_of(text, match.start()), match.group(2), match.group(1) == "<"


CONTAINER = re.compile(r'\b(namespace|class|struct|union|enum)\b|\bextern\s*"')
CONTROL = re.compile(r"^(?:\}?\s*else\b|if\b|for\b|while\b|switch\b|do\b|case\b|default\b|return\b|co_return\b)")


@dataclass
class Function:
    header: str
    first_line: int
    last_line: int


def scan(text):
    """Walks the braces. Returns (functions, statements): functions with their bodies' lines, and the
    (line, statement) pairs that stand at namespace scope."""
    code = without_preprocessor(code_of(text))
    functions, statements = [], []
    stack = []  # (kind, first line of the header, header, where it starts)
    start = 0
    for match in re.finditer(r"[{};]", code):
        position, char = match.start(), match.group()
        header = code[start:position].strip()
        outer = {entry[0] for entry in stack}
        if char == "{":
            kind = kind_of(header, outer)
            first = start + len(code[start:position]) - len(code[start:position].lstrip())
            stack.append((kind, line_of(code, first), header, start))
        elif char == "}":
            if stack:
                kind, line, opened, begin = stack.pop()
                if kind == "function":
                    functions.append(Function(opened, line, line_of(code, position)))
                elif kind == "value" and outer <= {"namespace", "value"}:
                    start = begin  # an initializer: the statement goes on to its semicolon
                    continue
        elif outer <= {"namespace"} and header:
            first = start + len(code[start:position]) - len(code[start:position].lstrip())
            statements.append((line_of(code, first), header))
        start = position + 1
    return functions, statements


def kind_of(header, outer):
    if not outer <= {"namespace", "class"}:
        return "block"
    plain = re.sub(r"<[^<>]*>", "", re.sub(r"<[^<>]*>", "", header))
    before_paren = plain.split("(")[0]
    if re.search(r'\bnamespace\b|\bextern\s*"', before_paren):
        return "namespace"
    if re.search(r"\b(class|struct|union|enum)\b", before_paren) and not re.search(r"\)\s*(const|noexcept|override)?$", plain):
        return "class"
    if ")" in plain and "=" not in before_paren and not CONTROL.match(plain):
        return "function"
    return "value"
