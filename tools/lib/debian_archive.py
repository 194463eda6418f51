"""Packages of Debian's archive for other machines: fetched with an apt of their own and unpacked into the user's cache,
never installed. What a package name stands for is asked once and kept, so that the next image is of the same parts."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tripod" / "boards"
# A mirror's indexes under the codename may contradict its signed Release file; then the suite is asked for by its
# other name, if that is still the same release.
OTHER_NAMES = {"trixie": "stable", "trixie-backports": "stable-backports"}


class ArchiveError(Exception):
    pass


@dataclass(frozen=True)
class Package:
    """An unpacked package: where its files are, and which version they are of."""
    name: str
    version: str
    arch: str
    folder: Path


def run(arguments, **keywords):
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, **keywords)
    if done.returncode != 0:
        raise ArchiveError(f"{' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}".strip())
    return done.stdout


@contextlib.contextmanager
def locked(name):
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def codename_of(suite):
    with urllib.request.urlopen(f"{MIRROR}/dists/{suite}/InRelease", timeout=60) as answer:
        found = re.search(r"(?m)^Codename: (\S+)$", answer.read(4096).decode())
    return found.group(1) if found else None


class Apt:
    """An apt with sources, lists, cache and an empty dpkg status in one folder."""

    def __init__(self, folder, arch, suite, component):
        self.folder, self.arch, self.suite, self.component = Path(folder), arch, suite, component
        for name in ("lists/partial", "archives/partial", "etc/preferences.d", "etc/apt.conf.d"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        (self.folder / "apt.conf").write_text(f"""\
Dir::Etc "{folder}/etc";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "-";
Dir::State "{folder}";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Check-Valid-Until "false";
Acquire::Retries "3";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
""")
        self.environment = {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C"}

    def run(self, *arguments, cwd=None):
        return run(arguments, env=self.environment, cwd=cwd)

    def update(self):
        try:
            self.read_lists(self.suite)
        except ArchiveError as error:
            other = OTHER_NAMES.get(self.suite)
            if not other or codename_of(other) != self.suite:
                raise
            print(f"  {self.suite}: {str(error).splitlines()[-1]}; trying as {other}", file=sys.stderr)
            self.read_lists(other)

    def read_lists(self, suite):
        (self.folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} {suite} {self.component}\n")
        self.run("apt-get", "update", "-qq", "--error-on=any")

    def record(self, name, version=None):
        """The fields of a package's newest version, or of the given one."""
        text = self.run("apt-cache", "show", "--no-all-versions", f"{name}={version}" if version else name)
        return dict(re.findall(r"(?m)^([A-Za-z-]+): (.*)$", text))

    def family(self, name):
        """A package and those it depends on in exactly its own version: a kernel's parts behind its meta package."""
        found, waiting = {}, [(name, None)]
        while waiting:
            one, version = waiting.pop()
            if one in found:
                continue
            fields = self.record(one, version)
            found[one] = fields["Version"]
            own = re.escape(fields["Version"])
            waiting += [(n, fields["Version"]) for n in re.findall(rf"([a-z0-9.+-]+) \(= {own}\)",
                                                                   fields.get("Depends", ""))]
        return found

    def download(self, name, version, target):
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            self.run("apt-get", "download", "-qq", f"{name}={version}", cwd=place)
            deb, = Path(place).glob("*.deb")
            run(["dpkg-deb", "-x", deb, target])


def fetch(arch, suite, component, name, renew=False):
    """The unpacked package and its family, from the cache when they are there; `renew` asks the archive again."""
    stamp = CACHE / f"{suite}-{arch}-{name}.json"
    with locked(f"{suite}-{arch}-{name}"):
        known = json.loads(stamp.read_text()) if stamp.exists() and not renew else None
        if not known or not all(folder_of(arch, n, v).is_dir() for n, v in known.items()):
            known = bring(arch, suite, component, name)
            stamp.write_text(json.dumps(known, indent=1) + "\n")
    return [Package(n, v, arch, folder_of(arch, n, v)) for n, v in sorted(known.items())]


def folder_of(arch, name, version):
    return CACHE / f"{name}_{version.replace(':', '%3a')}_{arch}"


def bring(arch, suite, component, name):
    place = Path(tempfile.mkdtemp(prefix="apt-", dir=CACHE))
    try:
        apt = Apt(place, arch, suite, component)
        apt.update()
        family = apt.family(name)
        for one, version in family.items():
            target = folder_of(arch, one, version)
            if target.is_dir():
                continue
            print(f"  {one} {version} for {arch}", file=sys.stderr, flush=True)
            apt.download(one, version, place / "unpacked")
            (place / "unpacked").rename(target)
        return family
    finally:
        shutil.rmtree(place, ignore_errors=True)
