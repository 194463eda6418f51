"""Banned calls and headers. Only the ports (platform/linux, platform/sim, platform/boards) touch the kernel, read a
clock, draw randomness or know threads; nothing throws; nothing is global."""

import re

from source import Finding, code_of, in_product, includes_of, is_cpp, line_of, scan

PORTS = ("platform/linux/", "platform/sim/", "platform/boards/")
MAY_PRINT = ("platform/base/check.cpp", "firmware/cli/", "firmware/main.cpp", "tools/")

FREE = r"(?<![\w.>:~])(?:::|std::)?"  # a free function, not a method or another namespace's
HEADERS = [
    (r"sys/.*|unistd\.h|fcntl\.h|netinet/.*|arpa/.*|net/.*|netdb\.h|poll\.h|dirent\.h|linux/.*|fstream|filesystem",
     "no system calls here; use Network, Storage or Board of platform/os"),
    (r"thread|mutex|shared_mutex|condition_variable|semaphore|latch|barrier|future|stop_token|pthread\.h|atomic",
     "no threads here; one loop thread, and the lanes of platform/linux"),
    (r"time\.h|ctime|sys/time\.h", "no clock here; use Clock of platform/os/clock.h"),
    (r"random", "no randomness here; draw from Entropy of platform/os, or take the draw in the event"),
    (r"signal\.h|csignal|setjmp\.h|csetjmp", "no signals here; platform/linux turns them into events"),
    (r"iostream|print", "log through Logger of platform/base/log.h"),
]
# The numbers of the signals that a program asks the loop to watch for.
HEADER_EXCEPTIONS = {("firmware/cli/cli.cpp", "signal.h"), ("tools/hollow-node/main.cpp", "csignal")}
CALLS = [
    (FREE + r"time\s*\(\s*(?:nullptr|NULL|0|&)|" + FREE + r"(?:gettimeofday|clock_gettime|localtime|gmtime)(?:_r)?\s*\(",
     "no clock here; use Clock of platform/os/clock.h"),
    (r"\b(?:system|steady|high_resolution|utc|file|tai|gps)_clock\s*::\s*now\b",
     "no clock here; use Clock of platform/os/clock.h, or take the time in the event"),
    (FREE + r"(?:getrandom|getentropy|s?rand|arc4random\w*)\s*\(|\brandom_device\b|\bdefault_random_engine\b",
     "no randomness here; draw from Entropy of platform/os, or take the draw in the event"),
    (r"(?<![\w>)\]])::(?:socket|bind|listen|accept4?|connect|recv\w*|send\w*|open(?:at)?|p?read|p?write|close|fsync|"
     r"fdatasync|unlink|rename|mkdir|stat|ioctl|poll|epoll_\w+|fork|execv\w*|kill|getpid)\s*\(",
     "no system calls here; use Network, Storage or Board of platform/os"),
    (FREE + r"(?:fopen|fread|fsync|fdatasync|mmap|getenv|setenv|system|popen|fork)\s*\(",
     "no system calls here; use Network, Storage or Board of platform/os"),
    (r"\bstd\s*::\s*(?:jthread|thread|async|mutex|recursive_mutex|shared_mutex|condition_variable|atomic\w*)\b|\bthread_local\b",
     "no threads here; one loop thread, and the lanes of platform/linux"),
    (r"this_thread\s*::\s*\w+|" + FREE + r"(?:usleep|nanosleep)\s*\(", "never sleep; co_await a timer of platform/os/clock.h"),
]
PRINTING = (FREE + r"(?:printf|fprintf|vfprintf|puts|fputs|fwrite|putchar|perror)\s*\(|\bstd\s*::\s*(?:cout|cerr|clog|print|println)\b",
            "log through Logger of platform/base/log.h")
EVERYWHERE = [
    (r"\bthrow\b(?!\s*\()|\bthrow\s*\(|\btry\s*\{|\bcatch\s*\(", "no exceptions; return Result<T>, CHECK a bug, fatal() on lost ground"),
    (r"\bdynamic_cast\b|\btypeid\b", "no RTTI; use a virtual function, a variant or an enum"),
    (r"\b(?:strcpy|strcat|sprintf|gets|atoi|atol|atof|strtok)\s*\(", "unbounded or unchecked; use string_view, std::format, from_chars"),
    (r"\bjson::Value(?:\s+\w+)?\s*\{\s*json::(?:Object|Array)\b", "braces make this an array of one; write `= json::Object()`"),
    (r"\busing\s+namespace\b(?!\s+(?:std::(?:chrono\b|\w*literals\b)|tripod;))", "name what you use"),
]
NOT_A_VARIABLE = re.compile(
    r"^(?:\[\[[^\]]*\]\]\s*)*(?:using|namespace|class|struct|enum|union|template|typedef|static_assert|friend|concept|extern\s*\"|"
    r"asm|TEST\w*|BENCHMARK\w*|INSTANTIATE\w*|explicit|operator)\b")


def globals_of(path, text):
    functions, statements = scan(text)
    for line, statement in statements:
        left = re.split("[={]", statement)[0]
        if NOT_A_VARIABLE.match(statement) or "(" in left or "operator" in left:
            continue
        if re.search(r"\b(?:const|constexpr|consteval)\b", left) or len(left.split()) < 2:
            continue
        yield Finding(path, line, "no globals: three whole boards run in one process; make it a member or a constant")
    code = code_of(text)
    for match in re.finditer(r"^[ \t]+static\s+(?!const\b|constexpr\b)([^(){};=]*)([;={])", code, re.MULTILINE):
        line = line_of(code, match.start())
        yield Finding(path, line, "no static variables: three whole boards run in one process; make it a member")


def rules_for(path):
    rules = list(EVERYWHERE)
    if not path.startswith(PORTS):
        rules += CALLS
        if not path.startswith(MAY_PRINT):
            rules.append(PRINTING)
    return rules


def check(tree):
    for path, text in tree.items():
        if not is_cpp(path) or not (in_product(path) or path.startswith("tools/")):
            continue
        code = code_of(text)
        for pattern, message in rules_for(path):
            for match in re.finditer(pattern, code):
                yield Finding(path, line_of(code, match.start()), f"`{match.group().strip()}`: {message}")
        if not path.startswith(PORTS):
            for line, name, is_system in includes_of(text):
                for pattern, message in HEADERS:
                    if is_system and re.fullmatch(pattern, name) and (path, name) not in HEADER_EXCEPTIONS:
                        yield Finding(path, line, f"<{name}>: {message}")
        yield from globals_of(path, text)


def sample(code, path="firmware/kube/a.cpp"):
    return {path: code}


BAD = [
    (sample("auto f() { return time(nullptr); }\n"), "no clock"),
    (sample("auto f() { return std::chrono::steady_clock::now(); }\n"), "no clock"),
    (sample("#include <ctime>\n"), "no clock"),
    (sample("int f() { std::random_device d; return 0; }\n"), "no randomness"),
    (sample("void f(char* p) { getrandom(p, 8, 0); }\n"), "no randomness"),
    (sample("int f() { return ::socket(1, 2, 3); }\n"), "no system calls"),
    (sample("#include <unistd.h>\n"), "no system calls"),
    (sample("void f() { fopen(name, mode); }\n"), "no system calls"),
    (sample("void f() { std::thread t; }\n"), "no threads"),
    (sample("#include <mutex>\n"), "no threads"),
    (sample("void f() { std::this_thread::sleep_for(second); }\n"), "never sleep"),
    (sample('void f() { printf("x"); }\n'), "log through Logger"),
    (sample('void f() { std::cerr << "x"; }\n'), "log through Logger"),
    (sample("void f() { throw 1; }\n"), "no exceptions"),
    (sample("void f() { try { g(); } catch (...) { } }\n", "platform/linux/a.cpp"), "no exceptions"),
    (sample("void f(A* a) { dynamic_cast<B*>(a); }\n"), "no RTTI"),
    (sample("namespace tripod {\nint counter = 0;\n}\n"), "no globals"),
    (sample("namespace tripod {\nnamespace {\nstd::map<int, int> cache;\n}\n}\n"), "no globals"),
    (sample("namespace tripod {\nstd::vector<int> cache{1, 2};\n}\n"), "no globals"),
    (sample("int f() {\n  static int calls = 0;\n  return ++calls;\n}\n"), "no static variables"),
    (sample("using namespace std;\n"), "name what you use"),
    (sample("void f() {\n  json::Value body{json::Object()};\n}\n"), "braces make this an array of one"),
]
GOOD = [
    sample("auto f() { return time(nullptr); }\n", "platform/linux/clock.cpp"),
    sample('void f() { printf("x"); }\n', "firmware/cli/run.cpp"),
    sample("// throw, time(nullptr), printf(\nvoid f() { network.connect(address); clock.time(); }\n"),
    sample('void f() { g("throw std::thread"); }\nvoid open(std::string_view);\n'),
    sample("namespace a {\nconstexpr long b = (long{1} << 20) - 1;\nusing namespace std::chrono_literals;\n}\n"),
    sample("namespace a {\nconstexpr int limit = 3;\nconst std::string_view name = g();\nint f(int a = 3);\n}\n"),
    sample("struct A {\n  static int count(int);\n  static constexpr int max = 3;\n};\nint A::count(int i) { return i; }\n"),
    sample("template <typename T>\nstruct B;\nenum class E : int { a, b };\nusing C = B<int>;\n"),
]
