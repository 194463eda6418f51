"""tools/flash: writes an image to a card and reads it back."""

import argparse
import contextlib
import fcntl
import hashlib
import lzma
import os
import re
import stat
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

sys.dont_write_bytecode = True
CHUNK_BYTES = 1 << 20
SIZE_MAX_GIB = 256
BLKFLSBUF = 0x1261  # linux/fs.h: forget what is cached of a block device


class FlashError(Exception):
    pass


class Machine:
    """What the kernel says of disks, below the given roots."""

    def __init__(self, sys_root="/sys", proc_root="/proc"):
        self.block, self.proc = Path(sys_root) / "class/block", Path(proc_root)

    def fact(self, name, file, fallback=""):
        with contextlib.suppress(OSError):
            return (self.block / name / file).read_text().strip()
        return fallback

    def partitions(self, disk):
        return sorted(p.parent.name for p in (self.block / disk).glob("*/partition"))

    def whole_disk_of(self, name):
        """sdb for sdb1: a partition's folder is inside its disk's."""
        return (self.block / name).resolve().parent.name if (self.block / name / "partition").exists() else name

    def number(self, name):
        return self.fact(name, "dev")

    def mounts(self, disk):
        """[(partition, mount point)] of the disk."""
        numbers = {self.number(n): n for n in [disk, *self.partitions(disk)]}
        found = []
        for line in (self.proc / "self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] in numbers:
                found.append((numbers[fields[2]], fields[4]))
        return found

    def swaps(self, disk):
        parts = [disk, *self.partitions(disk)]
        with contextlib.suppress(OSError):
            lines = (self.proc / "swaps").read_text().splitlines()[1:]
            return [Path(line.split()[0]).name for line in lines if Path(line.split()[0]).name in parts]
        return []

    def holders(self, disk):
        """What is built of the disk: volumes, RAID, encryption."""
        return sorted(h.name for n in [disk, *self.partitions(disk)] for h in (self.block / n).glob("holders/*"))


def check_disk(machine, name, image_bytes, size_max_gib=SIZE_MAX_GIB, not_removable=False):
    """Refuses what is no card, by the kernel's facts; returns what to show of it."""
    device = f"/dev/{name}"
    if not (machine.block / name).exists():
        raise FlashError(f"{device}: the kernel knows no such disk")
    if (whole := machine.whole_disk_of(name)) != name:
        raise FlashError(f"{device}: a partition; expected the whole card, /dev/{whole}")
    if mounts := machine.mounts(name):
        if any(point in ("/", "/boot", "/usr") for _, point in mounts):
            raise FlashError(f"{device}: the disk this system runs from")
        listed = ", ".join(f"/dev/{part} on {point}" for part, point in mounts)
        raise FlashError(f"{device}: mounted ({listed}); unmount it first")
    if swaps := machine.swaps(name):
        raise FlashError(f"{device}: this system swaps to it ({', '.join(swaps)})")
    if holders := machine.holders(name):
        raise FlashError(f"{device}: in use by {', '.join(holders)}")
    if machine.fact(name, "ro") == "1":
        raise FlashError(f"{device}: write-protected; look for the switch on the card")
    size = int(machine.fact(name, "size", "0")) * 512
    if size == 0:
        raise FlashError(f"{device}: no card in it")
    if size < image_bytes:
        raise FlashError(f"{device}: {size} bytes, and the image has {image_bytes}; expected a larger card")
    if size > size_max_gib << 30:
        raise FlashError(f"{device}: {size / (1 << 30):.0f} GiB is too large to be a card (over {size_max_gib} GiB); "
                         f"--size-max {-(-size >> 30) + 1} if it is one")
    removable = machine.fact(name, "removable") == "1" or re.match(r"mmcblk\d+$", name)
    if not removable and not not_removable:
        raise FlashError(f"{device}: not removable, so perhaps no card; --not-removable if it is one")
    model = " ".join(filter(None, (machine.fact(name, "device/vendor"), machine.fact(name, "device/model"),
                                   machine.fact(name, "device/name"))))
    return f"{device} ({model or 'no name'}, {size / 1e9:.1f} GB)"


@dataclass
class Source:
    """An image: its size, its bytes from the front, and the ranges of bytes that have to be written."""
    path: Path
    size: int
    ranges: list  # [(first byte, end, sha256 or None)]

    def open(self):
        return lzma.open(self.path) if self.path.suffix == ".xz" else open(self.path, "rb")


def size_of(path):
    if path.suffix != ".xz":
        return path.stat().st_size
    with lzma.open(path) as file:
        total = 0
        while part := file.read(CHUNK_BYTES):
            total += len(part)
        return total


def source_of(path):
    if not path.is_file():
        raise FlashError(f"{path}: no such image; tools/image makes one")
    beside = Path(re.sub(r"(\.img)?(\.xz)?$", "", str(path)) + ".bmap")
    if beside.is_file():
        size, ranges = read_block_map(beside)
        if path.suffix != ".xz" and path.stat().st_size != size:
            raise FlashError(f"{beside}: made for an image of {size} bytes; {path} has {path.stat().st_size}")
        return Source(path, size, ranges)
    size = size_of(path)
    return Source(path, size, [(0, size, None)])


def read_block_map(path):
    text = path.read_text()
    try:
        root = ElementTree.fromstring(text)
        size, block, said = (root.find(n).text.strip() for n in ("ImageSize", "BlockSize", "BmapFileChecksum"))
        size, block = int(size), int(block)
        ranges = []
        for entry in root.find("BlockMap"):
            first, _, last = entry.text.strip().partition("-")
            ranges.append((int(first) * block, min((int(last or first) + 1) * block, size), entry.get("chksum")))
    except (ElementTree.ParseError, AttributeError, ValueError) as error:
        raise FlashError(f"{path}: not a block map: {error}") from None
    if hashlib.sha256(text.replace(said, "0" * 64, 1).encode()).hexdigest() != said:
        raise FlashError(f"{path}: its checksum is wrong")
    return size, ranges


class Progress:
    """A bar on a terminal, a line per tenth elsewhere."""

    def __init__(self, what, total):
        self.what, self.total, self.done, self.shown = what, total, 0, -1
        self.begin, self.terminal = time.monotonic(), sys.stderr.isatty()

    def add(self, count):
        self.done += count
        step = self.done * (100 if self.terminal else 10) // max(self.total, 1)
        if step == self.shown:
            return
        self.shown = step
        percent = self.done * 100 // max(self.total, 1)
        rate = self.done / max(time.monotonic() - self.begin, 0.001) / 1e6
        text = f"{self.what} {percent:3} %  {self.done >> 20} of {self.total >> 20} MiB, {rate:.0f} MB/s"
        bar = "#" * (percent * 30 // 100)
        print(f"\r[{bar:30}] {text} " if self.terminal else text, end="" if self.terminal else "\n", file=sys.stderr,
              flush=True)
        if self.terminal and self.done >= self.total:
            print(file=sys.stderr)


def chunks(first, end):
    while first < end:
        size = min(CHUNK_BYTES, end - first)
        yield first, size
        first += size


def write(source, target):
    """Writes the ranges; returns what each must read back as."""
    progress = Progress("writing", sum(end - first for first, end, _ in source.ranges))
    digests = []
    with source.open() as image:
        for first, end, expected in source.ranges:
            image.seek(first)
            total = hashlib.sha256()
            for at, size in chunks(first, end):
                data = image.read(size)
                if len(data) != size:
                    raise FlashError(f"{source.path}: ends at byte {at + len(data)}; expected {source.size}")
                total.update(data)
                os.pwrite(target, data, at)
                progress.add(size)
            if expected not in (None, total.hexdigest()):
                raise FlashError(f"{source.path}: bytes {first} to {end} are not what its block map says; the image is damaged")
            digests.append(total.hexdigest())
    os.fsync(target)
    return digests


def forget_cached(target):
    """So that reading back asks the card."""
    if stat.S_ISBLK(os.fstat(target).st_mode):
        fcntl.ioctl(target, BLKFLSBUF)
    else:
        os.posix_fadvise(target, 0, 0, os.POSIX_FADV_DONTNEED)


def verify(source, target, digests):
    progress = Progress("reading back", sum(end - first for first, end, _ in source.ranges))
    forget_cached(target)
    for (first, end, _), digest in zip(source.ranges, digests, strict=True):
        total = hashlib.sha256()
        for at, size in chunks(first, end):
            total.update(os.pread(target, size, at))
            progress.add(size)
        if total.hexdigest() != digest:
            raise FlashError(f"what was read back between bytes {first} and {end} is not what was written; the card is bad")


def open_target(path):
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        # Exclusive on a block device: the kernel refuses while anything has it mounted.
        return os.open(path, flags | (os.O_EXCL if stat.S_ISBLK(os.stat(path).st_mode) else 0))
    except OSError as error:
        raise FlashError(f"{path}: {error.strerror}") from None


def check_image(source):
    """A partition table, as every image of a card begins with; not an update, a manifest or whatever lies beside it."""
    with source.open() as image:
        head = image.read(512)
    if len(head) != 512 or head[510:] != b"\x55\xaa":
        raise FlashError(f"{source.path}: no image of a card; expected FILE.img or FILE.img.xz of tools/image")


def flash(image, target, options, machine):
    source = source_of(image)
    check_image(source)
    if target.is_file():
        if target.stat().st_size < source.size:
            os.truncate(target, source.size)
        name = f"{target} (a file)"
    elif target.exists() and stat.S_ISBLK(target.stat().st_mode):
        name = check_disk(machine, target.resolve().name, source.size, options.size_max, options.not_removable)
    else:
        raise FlashError(f"{target}: no such disk; expected a card's device, as /dev/sdb or /dev/mmcblk0, or a file that is there")
    if not options.yes:
        print(f"All that is on {name} will be lost. Write {image} to it? Type yes: ", end="", flush=True)
        if sys.stdin.readline().strip() != "yes":
            raise FlashError("not written")
    descriptor = open_target(target)
    try:
        verify(source, descriptor, write(source, descriptor))
    finally:
        os.close(descriptor)
    print(f"{name}: written and read back; it can be taken out")


def main():
    parser = argparse.ArgumentParser(prog="tools/flash", description=__doc__, allow_abbrev=False)
    parser.add_argument("image", type=Path, metavar="IMAGE", help="FILE.img or FILE.img.xz; FILE.bmap beside it saves time")
    parser.add_argument("device", type=Path, metavar="DEVICE", help="the whole card, as /dev/sdb, or a file that is there")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--size-max", type=int, default=SIZE_MAX_GIB, metavar="GIB",
                        help="larger disks are no cards; %(default)s by default")
    parser.add_argument("--not-removable", action="store_true", help="a disk that is built in is meant")
    options = parser.parse_args()
    try:
        flash(options.image, options.device, options, Machine())
    except EOFError:
        sys.exit(f"tools/flash: {options.image}: ends too early; it was not copied whole")
    except (FlashError, OSError, lzma.LZMAError) as error:
        sys.exit(f"tools/flash: {error}")


if __name__ == "__main__":
    main()
