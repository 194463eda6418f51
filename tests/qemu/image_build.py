"""tools/image: what is on a card, that it is the same twice, and what is refused."""

import gzip
import hashlib
import os
import re
import subprocess
from pathlib import Path

import image_command
from harness import ROOT, Failure, run

CLUSTER = False
INI = ROOT / "config/board-2.ini"
COMMIT = {"SOURCE_DATE_EPOCH": str(image_command.epoch_of_build())}  # somebody may commit meanwhile


def image(output, *arguments, board="qemu-virt", env=None, check=True):
    return run([ROOT / "tools/image", "--board", board, "-o", output, *arguments], env=COMMIT | (env or {}),
               timeout=300, check=check)


def pki_folder(t):
    folder = t.folder / "pki"
    (folder / "board-2").mkdir(parents=True, exist_ok=True)
    (folder / "ca.crt").write_text("authority\n")
    (folder / "board-2/apiserver.key").write_text("key\n")
    (folder / "board-2/board.crt").write_text("certificate\n")
    return folder


SLOT = "slot-a/"  # how the manifest calls what is in the boot slot


def boot_file(img, name):
    where, path = ("44M", name.removeprefix(SLOT)) if name.startswith(SLOT) else ("4M", name)
    return subprocess.run(["mtype", "-i", f"{img}@@{where}", f"::{path}"], check=True, capture_output=True).stdout


def boot_listing(img):
    names = set()
    for where, prefix in (("4M", ""), ("44M", SLOT)):
        out = subprocess.run(["mdir", "-b", "-/", "-i", f"{img}@@{where}", "::"], check=True, capture_output=True, text=True).stdout
        names |= {prefix + line.removeprefix("::/") for line in out.splitlines() if line and not line.endswith("/")}
    return names


def cpio_names(data):
    """name -> (mode, bytes) of a newc archive."""
    at, entries = 0, {}
    while True:
        if data[at:at + 6] != b"070701":
            raise Failure(f"no cpio header at {at}")
        fields = [int(data[at + 6 + 8 * n:at + 14 + 8 * n], 16) for n in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1].decode()
        body = -(-(at + 110 + fields[11]) // 4) * 4
        if name == "TRAILER!!!":
            return entries
        entries[name] = (fields[1], data[body:body + fields[6]])
        at = -(-(body + fields[6]) // 4) * 4


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_card_holds_what_the_manifest_says(t):
    img = t.folder / "one/card.img"
    image(img, "--config", INI, "--pki", pki_folder(t))
    names = boot_listing(img)
    wanted = {"slot-a/kernel8.img", "slot-a/initramfs.gz", "slot-a/cmdline.txt", "autoboot.txt", "tripod.ini", "pki/README.txt",
              "pki/ca.crt", "pki/board-2/apiserver.key", "pki/board-2/board.crt"}
    if names != wanted:
        raise Failure(f"on the boot partitions: {sorted(names)}; expected {sorted(wanted)}")
    if boot_file(img, "tripod.ini") != INI.read_bytes() or boot_file(img, "pki/ca.crt") != b"authority\n":
        raise Failure("the configuration on the card is another one")
    if b"tripod.board=qemu-virt" not in boot_file(img, "slot-a/cmdline.txt"):
        raise Failure("the kernel is not told its board")
    manifest = (t.folder / "one/card.manifest").read_text()
    entries = {m[2]: m[1] for m in re.finditer(r"(?m)^([0-9a-f]{64}) +\d+  (\S+)  \S", manifest)}
    inner = cpio_names(gzip.decompress(boot_file(img, "slot-a/initramfs.gz")))
    found = {name: hashlib.sha256(boot_file(img, name)).hexdigest() for name in names}
    found |= {f"slot-a/initramfs.gz:/{name}": hashlib.sha256(data).hexdigest() for name, (mode, data) in inner.items()
              if mode & 0o170000 == 0o100000}
    if entries != found:
        raise Failure(f"manifest and card differ: {sorted(set(entries.items()) ^ set(found.items()))}")
    if not re.search(r"kernel8.img  linux-image-\S+ \d", manifest) or digest_of(img) not in manifest:
        raise Failure(f"no version of the kernel, or another image, in the manifest:\n{manifest}")


def test_the_initramfs_holds_nothing_but_init_and_modules_in_order(t):
    img = t.folder / "one/card.img"
    inner = cpio_names(gzip.decompress(boot_file(img, "slot-a/initramfs.gz")))
    files = [name for name, (mode, _) in inner.items() if mode & 0o170000 == 0o100000]
    modules = [name for name in files if name.startswith("modules/")]
    if set(files) - set(modules) != {"init", "board.ini"}:
        raise Failure(f"files in the initramfs: {files}")
    if inner["init"][0] & 0o777 != 0o755 or inner["init"][1][:4] != b"\x7fELF":
        raise Failure("/init is no program")
    if str(ROOT).encode() in inner["init"][1]:
        raise Failure("/init names the folder it was built in, so another folder makes another image")
    order = [re.fullmatch(r"modules/\d{3}-(\w+)\.ko", name).group(1) for name in sorted(modules)]
    for first, later in (("jbd2", "ext4"), ("mbcache", "ext4"), ("fat", "vfat"), ("failover", "virtio_net")):
        if order.index(first) > order.index(later):
            raise Failure(f"{first} is loaded after {later}, which needs it: {order}")
    text = inner["board.ini"][1].decode()
    if not re.search(r"(?m)^\[build\]\nepoch = \d{10}$", text):
        raise Failure("the board is not told when its image was made")
    if bad := [line for line in text.splitlines() if line and not re.fullmatch(r"\[\S+\]|\S+ = .*", line)]:
        raise Failure(f"lines in board.ini that the board does not read: {bad}")


def test_file_systems_are_sound(t):
    img = t.folder / "one/card.img"
    table = img.read_bytes()[:512]
    starts = [int.from_bytes(table[446 + 16 * n + 8:446 + 16 * n + 12], "little") * 512 for n in range(4)]
    sizes = [int.from_bytes(table[446 + 16 * n + 12:446 + 16 * n + 16], "little") * 512 for n in range(4)]
    labels = []
    with open(img, "rb") as file:
        for number, (start, size) in enumerate(zip(starts, sizes)):
            file.seek(start)
            part = t.folder / f"part-{number}"
            part.write_bytes(file.read(size))
            labels.append(part.read_bytes()[71:82].rstrip(b"\0").decode().strip() if number < 3 else
                          part.read_bytes()[1024 + 120:1024 + 136].rstrip(b"\0").decode())
    run(["/sbin/e2fsck", "-fn", t.folder / "part-3"])
    if labels != ["TRIPOD-BOOT", "TRIPOD-SLOT", "", "tripod-data"]:
        raise Failure(f"labels {labels}")


def test_the_same_inputs_make_the_same_bytes(t):
    again = t.folder / "another/place"
    again.mkdir(parents=True)
    elsewhere = {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "TMPDIR": str(again)}
    image(again / "card.img", "--config", INI, "--pki", pki_folder(t), env=elsewhere)
    for suffix in ("img", "img.xz", "bmap", "manifest"):
        if digest_of(t.folder / f"one/card.{suffix}") != digest_of(again / f"card.{suffix}"):
            raise Failure(f"card.{suffix} differs between two builds")
    size = (again / "card.img.xz").stat().st_size
    print(f"         {(again / 'card.img').stat().st_size >> 20} MiB, compressed {size / (1 << 20):.1f} MiB")
    if size > 64 << 20:
        raise Failure(f"{size} bytes compressed; at most 64 MiB")
    run(["xz", "--test", again / "card.img.xz"])
    image(again / "later.img", "--config", INI, "--no-xz", env={"SOURCE_DATE_EPOCH": "1700000000"})
    if digest_of(again / "later.img") == digest_of(again / "card.img"):
        raise Failure("other inputs made the same image")


def test_a_raspberry_pi_card_has_firmware_and_device_trees(t):
    img = t.folder / "pi/card.img"
    image(img, "--no-xz", board="raspberry-pi-4")
    names = boot_listing(img)
    in_slot = ("start4.elf", "fixup4.dat", "config.txt", "bcm2711-rpi-4-b.dtb", "kernel8.img", "initramfs.gz", "cmdline.txt")
    missing = {"autoboot.txt", "tripod.ini", *(SLOT + name for name in in_slot)} - names
    if missing:
        raise Failure(f"missing on the card: {sorted(missing)}")
    settings = dict(line.split("=", 1) for line in boot_file(img, "slot-a/config.txt").decode().splitlines() if "=" in line)
    if SLOT + settings["kernel"] not in names or "tryboot_a_b=1" not in boot_file(img, "autoboot.txt").decode():
        raise Failure("config.txt and the card do not fit together")
    tree = boot_file(img, "slot-a/bcm2711-rpi-4-b.dtb")
    if tree[:4] != bytes.fromhex("d00dfeed"):
        raise Failure("the device tree is none")


def test_what_cannot_work_is_refused(t):
    bad = t.write("bad.ini", INI.read_text().replace("[etcd]", "[etcd]\nnmae = x"))
    empty = t.folder / "empty"
    empty.mkdir()
    host = os.path.realpath("/bin/true")
    operators, another = t.folder / "home/pki", t.folder / "another"
    run([image_command.ROOT / "build/release/firmware/tripod", "init", "--dir", operators.parent, "--boards", "2", "--address",
         "192.168.1.11/24"])
    (another / "board-1").mkdir(parents=True)
    (another / "board-1/board.crt").write_text("certificate\n")
    cases = ((["--pki", operators], "admin.key, which belongs on no board"),
             (["--pki", operators.parent], "admin.conf, which belongs on no board"),
             (["--config", INI, "--pki", another], "no board-2/board.crt, which"),
             (["--update-key", operators / "ca.key"], "expected update.key of `tripod init`"),
             (["--config", bad], "nmae"), (["--pki", empty], "no files in it"), (["--binary", host], "not a program for arm64"),
             (["--config", t.folder / "none.ini"], "no such file"))
    for arguments, expected in cases:
        done = image(t.folder / "refused.img", *arguments, check=False)
        if done.code == 0 or expected not in done.err:
            raise Failure(f"expected a refusal with `{expected}`:\n{done}")
    done = run([ROOT / "tools/image", "--board", "toaster", "-o", t.folder / "x.img"], check=False)
    if done.code == 0 or "raspberry-pi-4" not in done.err:
        raise Failure(f"an unknown board, and no list of those that are there:\n{done}")
    if left := sorted(t.folder.glob("refused*")):
        raise Failure(f"of a refused image there is {left}")
    done = image("/dev/no-such-card", check=False)
    if done.code == 0 or "tools/flash writes it onto a card" not in done.err or Path("/dev/no-such-card").exists():
        raise Failure(f"a device was taken for a file:\n{done}")
