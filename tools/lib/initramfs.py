"""The initramfs of a board: a cpio archive (the kernel's "newc" format) with the binary as /init, the modules that the
board's row names and those they need, in the order to load them, and nothing else. Same inputs, same bytes."""

import lzma
import re
import stat

MOUNT_POINTS = ("boot", "boot-b", "dev", "etc", "proc", "run", "sys", "tmp", "var", "var/lib", "var/lib/tripod")
MODULE_SUFFIXES = (".ko", ".ko.xz")


class InitramfsError(Exception):
    pass


def plain(name):
    """A module's name as the kernel knows it."""
    return name.replace("-", "_")


class ModuleTree:
    """The modules of one kernel: the folder VERSION/kernel, and the list of those that are built in."""

    def __init__(self, folder, builtin):
        self.version = folder.parent.name
        self.files = {}
        for file in folder.rglob("*.ko*"):
            for suffix in MODULE_SUFFIXES:
                if file.name.endswith(suffix):
                    self.files[plain(file.name.removesuffix(suffix))] = file
        self.builtin = {plain(line.rpartition("/")[2].removesuffix(".ko")) for line in builtin.read_text().split()}

    def read(self, name):
        data = self.files[name].read_bytes()
        return lzma.decompress(data) if self.files[name].name.endswith(".xz") else data

    def load_order(self, wanted):
        """[(name, bytes)] of the wanted modules and what they need, each after what it needs."""
        loaded, order = set(), []

        def load(name, wanted_by):
            if name in loaded or name in self.builtin:
                return
            if name not in self.files:
                raise InitramfsError(f"Linux {self.version} has no module {name}, wanted by {wanted_by}")
            loaded.add(name)
            data = self.read(name)
            for needed in needs_of(data, name):
                load(needed, name)
            order.append((name, data))

        for name in wanted:
            load(plain(name), "the board's row")
        return order


def needs_of(module, name):
    """The names in the `depends` entry of a module's .modinfo section."""
    found = re.search(rb"\0depends=([^\0]*)\0", module)
    if not found:
        raise InitramfsError(f"module {name} does not say what it depends on")
    return [plain(n) for n in found.group(1).decode().split(",") if n]


class Archive:
    """Entries of a cpio archive; each belongs to root and has the same time."""

    def __init__(self, epoch):
        self.epoch, self.parts, self.count = epoch, [], 0

    def add(self, name, mode, data=b""):
        self.count += 1
        header = [self.count, mode, 0, 0, 2 if stat.S_ISDIR(mode) else 1, self.epoch, len(data), 0, 0, 0, 0,
                  len(name.encode()) + 1, 0]
        self.append(b"070701" + b"".join(b"%08x" % n for n in header) + name.encode() + b"\0")
        self.append(data)

    def append(self, data):
        self.parts.append(data + b"\0" * (-len(data) % 4))

    def directory(self, name):
        self.add(name, stat.S_IFDIR | 0o755)

    def file(self, name, data, mode=0o644):
        self.add(name, stat.S_IFREG | mode, data)

    def bytes(self):
        self.add("TRAILER!!!", 0)
        data = b"".join(self.parts)
        return data + b"\0" * (-len(data) % 512)


def build(init, row_text, modules, epoch):
    """The archive's bytes, and [(path, bytes)] of its files for the manifest."""
    archive = Archive(epoch)
    for name in sorted([*MOUNT_POINTS, "modules"]):
        archive.directory(name)
    files = [("board.ini", row_text), ("init", init)]
    files += [(f"modules/{n:03}-{name}.ko", data) for n, (name, data) in enumerate(modules, 1)]
    for name, data in files:
        archive.file(name, data, 0o755 if name == "init" else 0o644)
    return archive, files
