"""The boards that images are made for: platform/boards/BOARD/board.ini, one row of data each."""

import configparser
import re
from dataclasses import dataclass
from pathlib import Path

from tripod_cluster import ROOT

BOARDS = ROOT / "platform/boards"
# section -> key -> must it be there
KEYS = {
    "board": {"name": True, "description": True, "arch": True, "preset": True, "status-led": False},
    "kernel": {"suite": True, "package": True, "file": True, "compress": True, "command-line": True, "modules": True,
               "device-trees": False},
    "firmware": {"suite": True, "component": True, "package": True, "folder": True, "files": True},
    "image": {"slot-partition-mib": True, "data-partition-mib": True},
    "qemu": {"program": True, "machine": True, "memory-mib": True, "cpu": False, "processors": False,
             "disk-device": False, "network-device": False, "device-tree": False},
}
OPTIONAL_SECTIONS = {"firmware", "qemu"}
CHOICES = {("board", "arch"): ("arm64", "armhf"), ("board", "preset"): ("aarch64", "armhf"),
           ("kernel", "compress"): ("gzip", "none")}
NUMBERS = {("image", "slot-partition-mib"), ("image", "data-partition-mib"), ("qemu", "memory-mib"),
           ("qemu", "processors")}


class RowError(Exception):
    pass


def names():
    return sorted(p.parent.name for p in BOARDS.glob("*/board.ini"))


@dataclass
class Row:
    """One board.ini, checked."""
    file: Path
    sections: dict

    def text(self, section, key, fallback=None):
        value = self.sections.get(section, {}).get(key, fallback)
        if value is None:
            raise RowError(f"{self.file}: no {key} in [{section}]")
        return " ".join(value.split())

    def number(self, section, key):
        return int(self.text(section, key))

    def words(self, section, key):
        return [w for w in re.split(r"[,\s]+", self.sections.get(section, {}).get(key, "")) if w]

    def on_board(self, more):
        """What the board reads of it: each value on one line, which is all that platform/ini takes."""
        return "\n".join(f"[{section}]\n" + "".join(f"{key} = {' '.join(value.split())}\n" for key, value in values.items())
                         for section, values in {**self.sections, **more}.items())

    @property
    def name(self):
        return self.text("board", "name")

    @property
    def config_txt(self):
        """What the Raspberry Pi's firmware reads, or None for a board without it."""
        beside = self.file.parent / "config.txt"
        return beside.read_bytes() if beside.exists() else None

    @property
    def command_line(self):
        return f"{self.text('kernel', 'command-line')} tripod.board={self.name}"


def check(row):
    for section in [*row.sections, *KEYS]:
        if section not in KEYS:
            raise RowError(f"{row.file}: unknown section [{section}]; expected {', '.join(KEYS)}")
        if section not in row.sections:
            if section not in OPTIONAL_SECTIONS:
                raise RowError(f"{row.file}: no section [{section}]")
            continue
        present = row.sections[section]
        for key in present:
            if key not in KEYS[section]:
                raise RowError(f"{row.file}: unknown key {key} in [{section}]; expected {', '.join(KEYS[section])}")
        for key, required in KEYS[section].items():
            if required and key not in present:
                raise RowError(f"{row.file}: no {key} in [{section}]")
            if (section, key) in CHOICES and present.get(key) not in (None, *CHOICES[section, key]):
                raise RowError(f"{row.file}: [{section}] {key} = {present[key]}: expected "
                               f"{' or '.join(CHOICES[section, key])}")
            if (section, key) in NUMBERS and not present.get(key, "1").isdigit():
                raise RowError(f"{row.file}: [{section}] {key} = {present[key]}: expected a number")
    return row


def read(file):
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    try:
        parser.read_string(file.read_text(), str(file))
    except configparser.Error as error:
        raise RowError(str(error).replace("\n", " ")) from None
    row = check(Row(file, {s: dict(parser[s]) for s in parser.sections()}))
    if row.name != file.parent.name:
        raise RowError(f"{file}: [board] name = {row.name}: expected the folder's name, {file.parent.name}")
    return row


def board(name):
    if name not in names():
        raise RowError(f"no board `{name}`; there are {', '.join(names())}")
    return read(BOARDS / name / "board.ini")
