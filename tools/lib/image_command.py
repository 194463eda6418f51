"""tools/image: a flashable image of a board, without root. The same inputs give the same bytes on every machine."""

import argparse
import gzip
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
import board_rows  # noqa: E402
import debian_archive  # noqa: E402
import disk_image  # noqa: E402
import initramfs  # noqa: E402
from tripod_cluster import ROOT  # noqa: E402

TEMPLATE = ROOT / "config/board-1.ini"
CARD_FILE = ROOT / "platform/boards/README-card.txt"
AUTOBOOT = b"[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"  # platform/boards/update/boot_choice.h
BOOT_ROM_FILES = {"bootcode.bin"}  # what the first partition has to have, too
INI_BYTES_MAX, PKI_BYTES_MAX = 256 << 10, 1 << 20
OPERATORS_FILES = ("admin.key", "admin.conf", "update.key")


class CommandError(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def epoch_of_build():
    """SOURCE_DATE_EPOCH, else when the commit was made: the only time that gets into an image."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is not None:
        if not given.isdigit():
            raise CommandError(f"SOURCE_DATE_EPOCH={given}: expected seconds since 1970")
        return int(given)
    done = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandError("no git history here to take the time from; set SOURCE_DATE_EPOCH")
    return int(done.stdout)


def built_binary(row):
    return ROOT / "build" / row.text("board", "preset") / "firmware/tripod"


def init_of(row, binary):
    """The stripped binary, which must be static and of the board's processor."""
    if binary is None:
        subprocess.run([ROOT / "tools/build", row.text("board", "preset"), "tripod"], check=True)
        binary = built_binary(row)
    with tempfile.TemporaryDirectory() as place:
        stripped = Path(place) / "init"
        done = subprocess.run(["llvm-strip-19", "--strip-all", "-o", stripped, binary], capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(f"{binary}: {done.stderr.strip()}")
        data = stripped.read_bytes()
    check_program(row, binary, data)
    return data


def check_program(row, file, data):
    machine = {"arm64": (2, 183), "armhf": (1, 40)}[row.text("board", "arch")]  # ELF class, e_machine
    if data[:4] != b"\x7fELF" or (data[4], int.from_bytes(data[18:20], "little")) != machine:
        raise CommandError(f"{file}: not a program for {row.text('board', 'arch')}")
    wide = data[4] == 2
    at = int.from_bytes(data[32:40] if wide else data[28:32], "little")
    size, count = (int.from_bytes(data[o:o + 2], "little") for o in ((54, 56) if wide else (42, 44)))
    kinds = {int.from_bytes(data[at + n * size:at + n * size + 4], "little") for n in range(count)}
    if 3 in kinds:  # PT_INTERP
        raise CommandError(f"{file}: not static; the board has no loader and no libraries")


class Parts:
    """What goes into an image: path -> bytes, of the boot slot and of the partition that people edit; where each came from."""

    def __init__(self):
        self.slot, self.files, self.origins, self.inner = {}, {}, {}, []
        self.built = False  # is /init what tools/build made, and not a program that was given?

    def copy(self):
        other = Parts()
        other.slot, other.files, other.origins = dict(self.slot), dict(self.files), dict(self.origins)
        other.inner, other.built = self.inner, self.built
        return other

    def add(self, path, data, origin):
        self.files[path], self.origins[path] = data, origin

    def add_to_slot(self, path, data, origin):
        self.slot[path], self.origins[f"slot-a/{path}"] = data, origin

    def manifest(self, row, epoch, image):
        lines = [f"# tripod image for {row.name}; SOURCE_DATE_EPOCH={epoch}",
                 f"# image sha256 {image}", "# sha256  bytes  file  from"]
        named = {**self.files, **{f"slot-a/{path}": data for path, data in self.slot.items()}}
        entries = [(path, data, self.origins[path]) for path, data in named.items()]
        for path, data, origin in sorted([*entries, *self.inner]):
            lines.append(f"{hashlib.sha256(data).hexdigest()}  {len(data):>9}  {path}  {origin}")
        return "\n".join(lines) + "\n"


def one_file(packages, *patterns):
    for package in packages:
        for pattern in patterns:
            if found := sorted(package.folder.glob(pattern)):
                return found[0], package
    raise CommandError(f"{', '.join(p.name for p in packages)}: no file {' or '.join(patterns)}")


def origin_of(package):
    return f"{package.name} {package.version}"


def compressed(data):
    """gzip's form of a kernel; it takes seconds, so that it is kept."""
    kept = debian_archive.CACHE / f"{hashlib.sha256(data).hexdigest()}.gz"
    if not kept.exists():
        disk_image.write_whole(kept, gzip.compress(data, 9, mtime=0))
    return kept.read_bytes()


def add_kernel(parts, row, packages, init, epoch):
    image, package = one_file(packages, "boot/vmlinuz-*", "usr/lib/modules/*/vmlinuz")
    data, squeeze = image.read_bytes(), row.text("kernel", "compress") == "gzip"
    parts.add_to_slot(row.text("kernel", "file"), compressed(data) if squeeze else data, origin_of(package))
    builtin, _ = one_file(packages, "usr/lib/modules/*/modules.builtin")
    folder, package = one_file(packages, "usr/lib/modules/*/kernel")
    modules = initramfs.ModuleTree(folder, builtin).load_order(row.words("kernel", "modules"))
    row_text = row.on_board({"build": {"epoch": str(epoch)}}).encode()
    archive, inner = initramfs.build(init, row_text, modules, epoch)
    parts.add_to_slot("initramfs.gz", gzip.compress(archive.bytes(), 9, mtime=0), "tripod and modules")
    for path, data in inner:
        origin = origin_of(package) if path.startswith("modules/") else "tripod"
        parts.inner.append((f"slot-a/initramfs.gz:/{path}", data, origin))
    for name in row.words("kernel", "device-trees"):
        tree, package = one_file(packages, f"usr/lib/linux-image-*/{name}", f"usr/lib/modules/*/dtb/{name}")
        parts.add_to_slot(Path(name).name, tree.read_bytes(), origin_of(package))


def add_firmware(parts, row, packages):
    if row.config_txt is None:
        return
    parts.add_to_slot("config.txt", row.config_txt, "tripod")
    for name in row.words("firmware", "files"):
        file, package = one_file(packages, f"{row.text('firmware', 'folder')}/{name}")
        parts.add_to_slot(name, file.read_bytes(), origin_of(package))
        if name in BOOT_ROM_FILES:
            parts.add(name, file.read_bytes(), origin_of(package))


def add_configuration(parts, config, pki):
    parts.add("autoboot.txt", AUTOBOOT, "tripod")
    parts.add("tripod.ini", read_bounded(config or TEMPLATE, INI_BYTES_MAX), "given" if config else "tripod")
    parts.add("pki/README.txt", CARD_FILE.read_bytes(), "tripod")
    if pki is None:
        return
    total = 0
    for file in sorted(p for p in pki.rglob("*") if p.is_file()):
        data = read_bounded(file, PKI_BYTES_MAX)
        total += len(data)
        parts.add(f"pki/{file.relative_to(pki).as_posix()}", data, "given")
    if not total:
        raise CommandError(f"{pki}: no files in it")
    if total > PKI_BYTES_MAX:
        raise CommandError(f"{pki}: over {PKI_BYTES_MAX} bytes; expected a board's certificates and keys")


def read_bounded(file, bytes_max):
    if file.stat().st_size > bytes_max:
        raise CommandError(f"{file}: over {bytes_max} bytes")
    return file.read_bytes()


EMULATORS = {"arm64": "qemu-aarch64-static", "armhf": "qemu-arm-static"}


def check_config(row, file):
    """What the board would refuse is refused here, by the very program that goes onto the card."""
    done = subprocess.run([EMULATORS[row.text("board", "arch")], built_binary(row), "check-config", file, "--no-files"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise CommandError(done.stderr.strip().removeprefix("tripod: "))


def packages_of(row, renew):
    arch = row.text("board", "arch")
    kernel = debian_archive.fetch(arch, row.text("kernel", "suite"), "main", row.text("kernel", "package"), renew)
    firmware = []
    if "firmware" in row.sections:
        firmware = debian_archive.fetch(arch, row.text("firmware", "suite"), row.text("firmware", "component"),
                                        row.text("firmware", "package"), renew)
    return kernel, firmware


def collect(board, binary=None, renew=False):
    """(row, parts) of a board's image, all but what people configure."""
    row, parts, epoch = board_rows.board(board), Parts(), epoch_of_build()
    parts.built = binary is None
    init = init_of(row, binary)
    kernel, firmware = packages_of(row, renew)
    add_kernel(parts, row, kernel, init, epoch)
    add_firmware(parts, row, firmware)
    parts.add_to_slot("cmdline.txt", f"{row.command_line}\n".encode(), "tripod")
    return row, parts


def check_output(output):
    """An image is a file; what writes it onto a card, with care, is tools/flash."""
    place = output.absolute()
    if output.exists() and not output.is_file() or place.is_relative_to("/dev") and not place.is_relative_to("/dev/shm"):
        raise CommandError(f"{output}: expected a file to write; tools/flash writes it onto a card")


def check_pki(config, pki):
    """Of the board that tripod.ini is for, and nothing that belongs to its operator."""
    for file in sorted(pki.rglob("*")):
        if file.name in OPERATORS_FILES:
            raise CommandError(f"{pki}: has {file.relative_to(pki)}, which belongs on no board; expected the pki/ of one board, "
                               "as home/board-1/pki of `tripod init --dir home`")
    named = re.search(r"(?m)^\s*client-cert-file\s*=\s*/var/lib/tripod/pki/(\S+)$", config.read_text()) if config else None
    if named and any(pki.iterdir()) and not (pki / named[1]).is_file():
        raise CommandError(f"{pki}: no {named[1]}, which {config} names; expected the pki/ of that board")


def check_update_key(row, key, update, pki):
    """Boards would refuse it all the same: the public half must be the one that they have."""
    for folder in filter(None, (key.parent, pki)):
        public = folder / "update.pub"
        if not public.exists():
            continue
        done = subprocess.run([*own_program(row), "update-file", "show", update, "--key", public], capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(f"{key}: not the key of {public}; expected update.key of `tripod init` "
                               f"({done.stderr.strip().removeprefix('tripod: ')})")


def tree_is_changed():
    if os.environ.get("SOURCE_DATE_EPOCH") is not None:
        return False
    done = subprocess.run(["git", "-C", ROOT, "status", "--porcelain"], capture_output=True, text=True)
    return bool(done.stdout.strip())


def write(collected, output, config=None, pki=None, compress=True, update_key=None):
    """Writes the image, with the manifest and the rest beside it; returns its parts."""
    (row, common), epoch = collected, epoch_of_build()
    if config and common.built:
        check_config(row, config)
    if pki:
        check_pki(config, pki)
    parts = common.copy()
    add_configuration(parts, config, pki)
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as place:
        fresh = Path(place) / "image"
        ranges = disk_image.assemble(fresh, parts.files, parts.slot, row.number("image", "slot-partition-mib"),
                                     row.number("image", "data-partition-mib"), epoch, Path(place))
        with open(fresh, "rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest()
        update = Path(place) / "update"
        if update_key:
            write_update(collected, update, update_key)
            check_update_key(row, update_key, update, pki)
        disk_image.write_whole(beside(output, ".bmap"), disk_image.block_map(fresh, ranges).encode())
        disk_image.write_whole(beside(output, ".manifest"), parts.manifest(row, epoch, whole).encode())
        if update_key:
            update.rename(beside(output, ".update"))
        if config or pki:  # keys, or a token
            fresh.chmod(0o600)
        if compress:
            disk_image.compress(fresh, Path(place) / "xz")
            (Path(place) / "xz").chmod(fresh.stat().st_mode & 0o777)
            (Path(place) / "xz").rename(f"{output}.xz")
        fresh.rename(output)
    return parts


def write_update(collected, output, key, version=None):
    """The boot slot of the image as a signed update file, for boards of this kind that run already. `version`: of the program
    in it, where it is not that of this release."""
    (row, parts), epoch = collected, epoch_of_build()
    with tempfile.TemporaryDirectory(dir=Path(output).parent) as place:
        slot, fresh = Path(place) / "slot", Path(place) / "update"
        disk_image.make_slot(slot, parts.slot, row.number("image", "slot-partition-mib"), epoch, Path(place))
        done = subprocess.run([*own_program(row), "update-file", "pack", "--board", row.name, "--build", str(epoch), "--image",
                               slot, "--key", key, "--output", fresh, *(["--version", version] if version else [])],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(done.stderr.strip().removeprefix("tripod: "))
        fresh.rename(output)


def own_program(row):
    """The tripod that runs here: of this machine when it was built, else the board's in an emulator."""
    here = ROOT / "build/release/firmware/tripod"
    return [here] if here.exists() else [EMULATORS[row.text("board", "arch")], built_binary(row)]


def beside(output, suffix):
    """board.img -> board.bmap: where bmaptool looks for it."""
    return Path(re.sub(r"\.img$", "", str(output)) + suffix)


def arguments():
    parser = argparse.ArgumentParser(prog="tools/image", description=__doc__, allow_abbrev=False)
    parser.add_argument("--board", choices=board_rows.names(), required=True)
    parser.add_argument("--config", type=Path, help="becomes tripod.ini on the first partition; a commented example otherwise")
    parser.add_argument("--pki", type=Path, help="a folder whose files become pki/ there")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="FILE.img; FILE.img.xz, FILE.bmap "
                        "and FILE.manifest are written beside it")
    parser.add_argument("--update-key", type=Path, metavar="FILE", help="update.key of `tripod init`: FILE.update is written, too, for "
                        "`tripod update`")
    parser.add_argument("--binary", type=Path, help="an init of your own; what tools/build makes otherwise")
    parser.add_argument("--renew", action="store_true", help="ask Debian for the newest kernel and firmware again")
    parser.add_argument("--no-xz", action="store_true", help="leave the compressed image away")
    options = parser.parse_args()
    for file in (options.config, options.binary, options.update_key):
        if file and not file.is_file():
            parser.error(f"{file}: no such file")
    if options.pki and not options.pki.is_dir():
        parser.error(f"{options.pki}: no such folder")
    return options


def main():
    options = arguments()
    try:
        check_output(options.output)
        collected = collect(options.board, options.binary, options.renew)
        parts = write(collected, options.output, options.config, options.pki, not options.no_xz, options.update_key)
    except (CommandError, board_rows.RowError, debian_archive.ArchiveError, disk_image.ImageError,
            initramfs.InitramfsError, OSError) as error:
        sys.exit(f"tools/image: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"tools/image: {error.cmd[0]} failed")
    if options.update_key and tree_is_changed():
        say("the tree has changes that are not committed, and the update the build number of the commit: boards that run that "
            "commit will not take it; commit, or set SOURCE_DATE_EPOCH")
    for path, data in sorted({**parts.files, **{f"slot-a/{path}": data for path, data in parts.slot.items()}}.items()):
        print(f"{len(data):>10}  {path}")
    for file, made in ((options.output, True), (Path(f"{options.output}.xz"), not options.no_xz),
                       (beside(options.output, ".update"), options.update_key)):
        if made:
            print(f"{file}: {file.stat().st_size / (1 << 20):.1f} MiB")


if __name__ == "__main__":
    main()
