"""tools/flash: writes, reads back, and refuses what is no card, by the facts of a machine that is made up."""

import lzma
import os
import subprocess

import disk_image
import flash_command
from harness import ROOT, Failure, run

CLUSTER = False
MIB = 1 << 20


def fake_disk(root, name, gib=32, removable="1", ro="0", model="Card Reader", parts=1, number=8):
    """A disk as /sys shows it."""
    disk = root / "sys/class/block" / name
    disk.mkdir(parents=True)
    facts = {"size": str(int(gib * (1 << 30)) // 512), "removable": removable, "ro": ro, "dev": f"{number}:0"}
    for file, text in facts.items():
        (disk / file).write_text(f"{text}\n")
    (disk / "device").mkdir()
    (disk / "device/model").write_text(f"{model}\n")
    for n in range(1, parts + 1):
        part = disk / f"{name}{n}"
        (part / "holders").mkdir(parents=True)
        (part / "partition").write_text(f"{n}\n")
        (part / "dev").write_text(f"{number}:{n}\n")
        (root / "sys/class/block" / f"{name}{n}").symlink_to(part)
    return disk


def fake_machine(root, mounts="", swaps=""):
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    (root / "proc/self/mountinfo").write_text(mounts)
    (root / "proc/swaps").write_text("Filename Type Size Used Priority\n" + swaps)
    return flash_command.Machine(root / "sys", root / "proc")


def refusal(machine, name, image_bytes=MIB, **options):
    try:
        flash_command.check_disk(machine, name, image_bytes, **options)
    except flash_command.FlashError as error:
        return str(error)
    return None


def expect(found, wanted):
    if not found or wanted not in found:
        raise Failure(f"expected a refusal with `{wanted}`, found: {found}")


def make_image(t, blocks):
    """A small image with its block map: `blocks` are its 4 KiB blocks, of which the first gets a partition table's mark."""
    blocks[0] = blocks[0][:510] + b"\x55\xaa" + blocks[0][512:]
    t.folder.mkdir(exist_ok=True)
    image = t.folder / "small.img"
    image.write_bytes(b"".join(blocks))
    free = [(4096 * n, 4096 * (n + 1)) for n in range(4, 12)]
    ranges = disk_image.mapped_blocks(free, len(blocks) * 4096)
    (t.folder / "small.bmap").write_text(disk_image.block_map(image, ranges))
    return image


def test_a_card_is_taken_and_other_disks_are_refused(t):
    root = t.folder / "machine"
    for number, (name, facts) in enumerate({
            "sdb": {}, "sda": {"removable": "0", "model": "System"}, "sdc": {"removable": "0"}, "sdd": {"gib": 4000},
            "sde": {"ro": "1"}, "sdf": {"gib": 0}, "sdg": {}, "sdh": {}, "sdi": {}}.items()):
        fake_disk(root, name, number=8 + number, **facts)
    (root / "sys/class/block/sdh/sdh1/holders/dm-0").mkdir()
    machine = fake_machine(root, mounts="22 1 9:1 / / rw - ext4 /dev/sda1 rw\n30 22 14:1 / /media/card rw - vfat /dev/sdg1 rw\n",
                           swaps="/dev/sdi1 partition 1000 0 -2\n")
    shown = flash_command.check_disk(machine, "sdb", MIB)
    if "/dev/sdb" not in shown or "Card Reader" not in shown or "34.4 GB" not in shown:
        raise Failure(f"shown of the card: {shown}")
    expect(refusal(machine, "sda"), "the disk this system runs from")
    expect(refusal(machine, "sda", not_removable=True), "the disk this system runs from")
    expect(refusal(machine, "sdb1"), "expected the whole card, /dev/sdb")
    expect(refusal(machine, "sdc"), "--not-removable")
    expect(refusal(machine, "sdd"), "too large to be a card")
    expect(refusal(machine, "sde"), "write-protected")
    expect(refusal(machine, "sdf"), "no card in it")
    expect(refusal(machine, "sdg"), "mounted (/dev/sdg1 on /media/card)")
    expect(refusal(machine, "sdh"), "in use by dm-0")
    expect(refusal(machine, "sdi"), "swaps to it")
    expect(refusal(machine, "sdz"), "knows no such disk")
    expect(refusal(machine, "sdb", image_bytes=64 << 30), "expected a larger card")
    for name, options in (("sdc", {"not_removable": True}), ("sdd", {"size_max_gib": 8000})):
        if found := refusal(machine, name, **options):
            raise Failure(f"refused although it was asked for: {found}")


def test_this_machine_s_disk_is_refused(t):
    """With the facts of the machine the test runs on."""
    device = subprocess.run(["findmnt", "-no", "MAJ:MIN", "/"], capture_output=True, text=True).stdout.strip()
    machine = flash_command.Machine()
    names = [p.name for p in machine.block.iterdir() if machine.number(p.name) == device] if machine.block.exists() else []
    if not names:
        print("         the root here is no disk")
        return
    expect(refusal(machine, machine.whole_disk_of(names[0])), "the disk this system runs from")


def test_what_is_written_reads_back_and_free_blocks_stay(t):
    blocks = [bytes([n + 1]) * 4096 for n in range(4)] + [b"\0" * 4096] * 8 + [b"\xaa" * 4096, b"\0" * 4096]
    image = make_image(t, blocks)
    card = t.folder / "card"
    card.write_bytes(b"\x55" * (16 * 4096))
    (t.folder / "small.img.xz").write_bytes(lzma.compress(image.read_bytes()))
    for source in (image, t.folder / "small.img.xz"):
        done = run([ROOT / "tools/flash", source, card, "--yes"])
        written = card.read_bytes()
        if written[:4 * 4096] != b"".join(blocks[:4]) or written[12 * 4096:14 * 4096] != b"".join(blocks[12:]):
            raise Failure("the card does not hold the image")
        if written[4 * 4096:12 * 4096] != b"\x55" * (8 * 4096):
            raise Failure("blocks that hold nothing were written")
        if "reading back 100 %" not in done.err or "it can be taken out" not in done.out:
            raise Failure(f"no progress:\n{done}")
    refused = run([ROOT / "tools/flash", image, card], stdin="no\n", check=False)
    if refused.code == 0 or "not written" not in refused.err:
        raise Failure(f"written without a yes:\n{refused}")


def test_damage_is_noticed(t):
    blocks = [bytes([n + 1]) * 4096 for n in range(14)]
    image = make_image(t, blocks)
    card = t.folder / "card"
    card.write_bytes(b"")
    with open(image, "r+b") as file:
        file.seek(5000)
        file.write(b"!")
    done = run([ROOT / "tools/flash", image, card, "--yes"], check=False)
    if done.code == 0 or "the image is damaged" not in done.err:
        raise Failure(f"a damaged image was taken:\n{done}")
    source = flash_command.source_of(make_image(t, blocks))
    descriptor = os.open(card, os.O_RDWR)
    try:
        digests = flash_command.write(source, descriptor)
        os.pwrite(descriptor, b"!", 8192)
        try:
            flash_command.verify(source, descriptor, digests)
        except flash_command.FlashError as error:
            expect(str(error), "the card is bad")
        else:
            raise Failure("a card that returns other bytes was taken")
    finally:
        os.close(descriptor)
    text = (t.folder / "small.bmap").read_text()
    (t.folder / "small.bmap").write_text(text.replace("> 0-3 <", "> 0-2 <"))
    done = run([ROOT / "tools/flash", image, card, "--yes"], check=False)
    if done.code == 0 or "its checksum is wrong" not in done.err:
        raise Failure(f"a changed block map was taken:\n{done}")


def test_a_missing_image_or_device_is_named(t):
    image = make_image(t, [b"\1" * 4096] * 14)
    (t.folder / "card").write_bytes(b"")
    short = t.folder / "short.img.xz"
    short.write_bytes(lzma.compress(os.urandom(1 << 20))[:1 << 19])
    for arguments, expected in (([t.folder / "none.img", t.folder / "card"], "no such image"),
                                ([image, t.folder / "none"], "expected a card's device"),
                                ([ROOT / "README.md", t.folder / "card"], "no image of a card"),
                                ([image.with_suffix(".bmap"), t.folder / "card"], "no image of a card"),
                                ([short, t.folder / "card"], "ends too early")):
        done = run([ROOT / "tools/flash", *arguments, "--yes"], check=False)
        if done.code == 0 or expected not in done.err:
            raise Failure(f"expected a refusal with `{expected}`:\n{done}")
