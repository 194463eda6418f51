"""A card's image, made without root: a DOS partition table, a FAT partition for people and for the choice of the slot, two FAT
boot slots, one ext4 data partition, and beside it the block map (bmaptool's format), the compressed image and the manifest. Same inputs, same bytes: every id comes from the content."""

import hashlib
import os
import subprocess
import uuid
from pathlib import Path

MIB = 1 << 20
SECTOR_BYTES = 512
BLOCK_BYTES = 4096
ALIGNMENT = 4 * MIB  # cards erase in blocks of up to this size
BOOT_LABEL, SLOT_LABEL, DATA_LABEL = "TRIPOD-BOOT", "TRIPOD-SLOT", "tripod-data"
BOOT_MIB = 40  # FAT32 wants 65,525 clusters; of 512 bytes, these are 36 MiB
SLOT_MIB_MIN = 36
FAT_TYPE, LINUX_TYPE = 0x0C, 0x83
JOURNAL_MIB = 16
GROWS_TO = "64G"  # what the group descriptors have room for; beyond that the kernel finds other places


class ImageError(Exception):
    pass


def tool(arguments, epoch):
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch), "TZ": "UTC",
                   "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1", "MKE2FS_CONFIG": "/dev/null",
                   "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run([str(a) for a in arguments], env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise ImageError(f"{' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}".strip())
    return done.stdout


def digest(*parts):
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.digest()


def make_fat(path, size, label, serial, files, epoch, scratch):
    """`files`: path -> bytes. Folders are made as they are needed."""
    if len(label) > 11:
        raise ImageError(f"{label}: FAT has room for labels of 11 characters")
    with open(path, "wb") as file:
        file.truncate(size)
    tool(["mformat", "-i", path, "-F", "-c", "1", "-T", size // SECTOR_BYTES, "-h", "64", "-s", "32", "-N", serial,
          "-v", label, "::"], epoch)
    folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"."})
    for folder in folders:
        tool(["mmd", "-i", path, f"::{folder}"], epoch)
    for name, data in sorted(files.items()):
        staged = scratch / "staged"
        staged.write_bytes(data)
        os.utime(staged, (epoch, epoch))
        tool(["mcopy", "-m", "-i", path, staged, f"::{name}"], epoch)


def make_ext4(path, size, label, identity, epoch):
    with open(path, "wb") as file:
        file.truncate(size)
    unique = uuid.UUID(bytes=identity[:16], version=4)
    seed = uuid.UUID(bytes=identity[16:32], version=4)
    tool(["mke2fs", "-q", "-F", "-t", "ext4", "-b", BLOCK_BYTES, "-i", "16384", "-I", "256", "-m", "0", "-L", label,
          "-U", unique, "-J", f"size={JOURNAL_MIB}",
          "-O", "has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize,resize_inode,"
                "filetype,sparse_super,large_file,dir_index,ext_attr",
          "-E", f"hash_seed={seed},resize={GROWS_TO},lazy_itable_init=1,lazy_journal_init=0,root_owner=0:0",
          path, size // BLOCK_BYTES], epoch)


def partition_entry(first_byte, size, kind):
    """Addresses by cylinder, head and sector say "too large": everybody reads the numbers after them."""
    return (b"\x00\xfe\xff\xff" + bytes([kind]) + b"\xfe\xff\xff" +
            (first_byte // SECTOR_BYTES).to_bytes(4, "little") + (size // SECTOR_BYTES).to_bytes(4, "little"))


def partition_table(identity, parts):
    entries = b"".join(partition_entry(*part) for part in parts)
    return b"\0" * 440 + identity[:4] + b"\0\0" + entries.ljust(64, b"\0") + b"\x55\xaa"


def layout(slot_mib, data_mib):
    """[(first byte, size, type)] of the four partitions, and the size of the whole."""
    first, parts = ALIGNMENT, []
    for mib, kind in ((BOOT_MIB, FAT_TYPE), (slot_mib, FAT_TYPE), (slot_mib, FAT_TYPE), (data_mib, LINUX_TYPE)):
        size = mib * MIB
        parts.append((first, size, kind))
        first += -(-size // ALIGNMENT) * ALIGNMENT
    return parts, first


def copy_sparse(source, target, at):
    """Copies what is not zero; zeros stay holes."""
    with open(source, "rb") as file:
        target.seek(at)
        while block := file.read(BLOCK_BYTES * 64):
            if block.count(0) == len(block):
                target.seek(len(block), os.SEEK_CUR)
            else:
                target.write(block)


def identity_of(files):
    return digest(*(part for name in sorted(files) for part in (name.encode(), files[name])))


def make_slot(path, files, slot_mib, epoch, scratch):
    """A boot slot's file system, no larger than it has to be: what an update file holds, byte by byte."""
    content = sum(-(-len(data) // SECTOR_BYTES) * SECTOR_BYTES for data in files.values())
    mib = max(SLOT_MIB_MIN, -(-int(content * 1.03) // MIB) + 1)  # two tables of 4 bytes a cluster
    if mib > slot_mib:
        raise ImageError(f"the boot slot wants {mib} MiB; [image] slot-partition-mib = {slot_mib}")
    make_fat(path, mib * MIB, SLOT_LABEL, identity_of(files)[:4].hex(), files, epoch, scratch)


def assemble(output, boot_files, slot_files, slot_mib, data_mib, epoch, scratch):
    """Writes the image; its ids come from the files. Returns the ranges of blocks that have to be written."""
    identity = digest(identity_of(boot_files), identity_of(slot_files))
    parts, total = layout(slot_mib, data_mib)
    boot, slot, data = scratch / "boot", scratch / "slot", scratch / "data"
    make_fat(boot, parts[0][1], BOOT_LABEL, identity[:4].hex(), boot_files, epoch, scratch)
    make_slot(slot, slot_files, slot_mib, epoch, scratch)
    make_ext4(data, parts[3][1], DATA_LABEL, identity, epoch)
    with open(output, "wb") as image:
        image.truncate(total)
        image.write(partition_table(identity, parts))
        for path, number in ((boot, 0), (slot, 1), (data, 3)):
            copy_sparse(path, image, parts[number][0])
    free = [(parts[n][0] + first, parts[n][0] + end) for n, path in enumerate((boot, slot))
            for first, end in free_ranges_of_fat(path)]
    # Behind the first slot's file system, and of the second all but its beginning, which must not look like a file system
    # that the card had before.
    free += [(parts[1][0] + slot.stat().st_size, parts[2][0]), (parts[2][0] + MIB, parts[3][0])]
    return mapped_blocks(free, total)


def free_ranges_of_fat(path):
    """[(first byte, end)] of the clusters that hold nothing, by the file system's own table."""
    with open(path, "rb") as file:
        boot = file.read(SECTOR_BYTES)

        def number(at, size):
            return int.from_bytes(boot[at:at + size], "little")

        cluster_bytes = number(13, 1) * SECTOR_BYTES
        tables_at, tables, table_sectors = number(14, 2) * SECTOR_BYTES, number(16, 1), number(36, 4)
        data_at = tables_at + tables * table_sectors * SECTOR_BYTES
        file.seek(tables_at)
        table = file.read(table_sectors * SECTOR_BYTES)
    ranges = []
    for cluster in range(2, 2 + (number(32, 4) * SECTOR_BYTES - data_at) // cluster_bytes):
        if table[cluster * 4:cluster * 4 + 4] == b"\0\0\0\0":
            first = data_at + (cluster - 2) * cluster_bytes
            if ranges and ranges[-1][1] == first:
                ranges[-1][1] = first + cluster_bytes
            else:
                ranges.append([first, first + cluster_bytes])
    return ranges


def mapped_blocks(free_ranges, total):
    """[(first block, last block)] of all that has to be written whatever the card held before: everything but whole
    blocks of free clusters. Zeros are written elsewhere, too: a table, a directory or a journal needs them."""
    ranges, begin = [], 0
    for first, end in sorted(free_ranges):
        first, end = -(-first // BLOCK_BYTES), end // BLOCK_BYTES
        if first < end:
            if begin < first:
                ranges.append((begin, first - 1))
            begin = end
    if begin < total // BLOCK_BYTES:
        ranges.append((begin, total // BLOCK_BYTES - 1))
    return ranges


def block_map(image, ranges):
    """The text of the .bmap file (version 2.0); its checksum is taken over itself with zeros in the checksum's place."""
    size = image.stat().st_size
    lines = []
    with open(image, "rb") as file:
        for first, last in ranges:
            file.seek(first * BLOCK_BYTES)
            total = hashlib.sha256()
            left = (last - first + 1) * BLOCK_BYTES
            while left:
                part = file.read(min(left, MIB))
                total.update(part)
                left -= len(part)
            span = f"{first}" if first == last else f"{first}-{last}"
            lines.append(f'        <Range chksum="{total.hexdigest()}"> {span} </Range>')
    mapped = sum(last - first + 1 for first, last in ranges)
    nothing = "0" * 64
    text = f"""<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {size} </ImageSize>
    <BlockSize> {BLOCK_BYTES} </BlockSize>
    <BlocksCount> {size // BLOCK_BYTES} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {nothing} </BmapFileChecksum>
    <BlockMap>
""" + "\n".join(lines) + "\n    </BlockMap>\n</bmap>\n"
    return text.replace(nothing, hashlib.sha256(text.encode()).hexdigest(), 1)


def compress(image, target):
    """The same bytes on every machine: xz cuts blocks by its preset, not by the number of processors."""
    with open(target, "wb") as out:
        done = subprocess.run(["xz", "-6", "--threads=2", "--stdout", str(image)], stdout=out, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise ImageError(f"xz: {done.stderr.decode()}")


def write_whole(path, data):
    """Replaces a file at once."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_bytes(data)
    fresh.rename(path)
