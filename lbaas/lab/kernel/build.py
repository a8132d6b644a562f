"""Makes a kernel ready: two modules rebuilt, or, where their sources are gone, a whole kernel."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from lbaas.errors import LabError, ToolMissing
from lbaas.lab.kernel.cache import (
    REBUILT,
    STOCK_MODULES,
    WHOLE,
    Kernel,
    Progress,
    building,
    cached,
    stock_version,
)
from lbaas.lab.machine import find_program

STOCK_CONFIG = Path("/usr/share/doc/user-mode-linux/config.gz")
TAIL = 2000

# program -> the package it comes with
TOOLS = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "dpkg-deb": "dpkg",
    "gcc": "gcc libc6-dev",
    "make": "make",
    "strip": "binutils",
    "bc": "bc",
    "perl": "perl",
    "xz": "xz-utils",
    "modinfo": "kmod",
}
# Used while building only, and unpacked beside the sources rather than installed.
GENERATORS = ("flex", "bison", "m4")


def ensure(progress: Progress) -> Kernel:
    """A kernel is ready in the cache; if it was, this costs nothing.

    Raises ToolMissing if a program is missing, LabError with the end of the log if the build fails.
    """
    if kernel := cached():
        return kernel
    check_tools()
    with building() as cache:
        if not cached():
            _build(cache, progress)
    kernel = cached()
    if kernel is None:
        raise LabError("the kernel was built, but is not in the cache")
    return kernel


def check_tools() -> None:
    """All that the build needs is here. Raises ToolMissing, with the command that gets it."""
    missing = sorted({TOOLS[tool] for tool in TOOLS if not find_program(tool)})
    if missing:
        raise ToolMissing(
            f"building the lab's kernel needs more programs: apt-get install {' '.join(missing)}"
        )


@dataclass(frozen=True)
class _Site:
    """A scratch directory with the log of what is done in it."""

    directory: Path

    def run(self, *argv: str, cwd: Path | None = None, **environment: str) -> str:
        """What *argv* wrote to its standard output. Raises LabError with the end of what it said."""
        done = subprocess.run(
            argv,
            cwd=cwd or self.directory,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = (done.stdout + done.stderr)[-TAIL:]
            raise LabError(f"{' '.join(argv)} failed with status {done.returncode}:\n{said}")
        return done.stdout


def _build(cache: Path, progress: Progress) -> None:
    """The cache holds a kernel for the stock version, put there in one rename."""
    version = stock_version()
    with tempfile.TemporaryDirectory(dir=cache, prefix="build-") as scratch:
        site = _Site(Path(scratch))
        ready = site.directory / "ready"
        ready.mkdir()
        series = version.rpartition(".")[0]
        available = _source_versions(site, series)
        same = [found for found in available if found.startswith(f"{version}-")]
        if same:
            _rebuild_modules(site, series, same[0], ready, progress)
        else:
            progress(f"the sources of {version} are gone: building a whole kernel, 5 to 10 minutes")
            _build_whole(site, series, available[0], ready, progress)
        shutil.rmtree(cache / version, ignore_errors=True)
        ready.rename(cache / version)


def _source_versions(site: _Site, series: str) -> list[str]:
    """Versions of Debian's linux-source package that can be had, newest first."""
    table = site.run("apt-cache", "madison", f"linux-source-{series}")
    versions = [fields[1].strip() for line in table.splitlines() if (fields := line.split("|"))[1:]]
    if not versions:
        raise ToolMissing(
            f"apt knows no linux-source-{series}: run apt-get update, "
            "and check that a Debian mirror is among its sources"
        )
    return versions


def _rebuild_modules(
    site: _Site, series: str, package_version: str, ready: Path, progress: Progress
) -> None:
    """*ready* holds the stock kernel's nf_tables with the families ip, ip6 and inet."""
    sources = _sources(site, series, package_version, progress)
    version = stock_version()
    progress("configuring the kernel as Debian did, plus the families")
    out = site.directory / "out"
    out.mkdir()
    (out / ".config").write_text(site.run("zcat", str(STOCK_CONFIG)))
    families = ("NF_TABLES_INET", "NF_TABLES_IPV4", "NF_TABLES_IPV6")
    wanted = [part for name in families for part in ("-e", name)]
    configure = (str(sources / "scripts/config"), "--file", str(out / ".config"))
    site.run(*configure, *wanted, "-d", "LOCALVERSION_AUTO")
    # Debian builds with these two, and they are part of the version that a module must name
    sublevel = (f"SUBLEVEL={version.rpartition('.')[2]}", "EXTRAVERSION=")
    _make(site, sources, *sublevel, "olddefconfig")
    _make(site, sources, *sublevel, "modules_prepare")
    progress("building the two modules")
    (out / "Module.symvers").touch()
    objects = [f"net/netfilter/{name}" for name in REBUILT]
    _make(site, sources, *sublevel, "KBUILD_MODPOST_WARN=1", *objects)
    for name in REBUILT:
        site.run("strip", "-g", "-o", str(ready / name), str(out / "net/netfilter" / name))
    _check_version_magic(site, ready / "nf_tables.ko", version)


def _check_version_magic(site: _Site, module: Path, version: str) -> None:
    stock = STOCK_MODULES / version / "kernel/net/netfilter/nf_tables.ko"
    modinfo = find_program("modinfo") or "modinfo"
    ours, theirs = (site.run(modinfo, "-F", "vermagic", str(m)).strip() for m in (module, stock))
    if ours != theirs:
        raise LabError(f"the rebuilt module is for {ours!r}, the kernel wants {theirs!r}")


def _build_whole(
    site: _Site, series: str, package_version: str, ready: Path, progress: Progress
) -> None:
    """*ready* holds a kernel of our own configuration that needs no modules."""
    sources = _sources(site, series, package_version, progress)
    (site.directory / "out").mkdir()
    wanted = site.directory / "wanted.config"
    config = resources.files("lbaas.lab.kernel") / "whole.config"
    wanted.write_text(config.read_text())
    progress("configuring the kernel")
    _make(site, sources, "allnoconfig", KCONFIG_ALLCONFIG=str(wanted))
    _check_config(site.directory / "out" / ".config", wanted.read_text())
    progress("building the kernel")
    _make(site, sources, "linux")
    site.run("strip", "-o", str(ready / WHOLE), str(site.directory / "out" / "linux"))


def _check_config(config: Path, wanted: str) -> None:
    """What was asked for was granted: a missing dependency drops an option without a word."""
    granted = set(config.read_text().splitlines())
    refused = [line for line in wanted.splitlines() if line.endswith("=y") and line not in granted]
    if refused:
        raise LabError(f"these sources don't grant the options {', '.join(refused)}")


def _sources(site: _Site, series: str, package_version: str, progress: Progress) -> Path:
    """The unpacked sources, with the generators that their build runs in ``tools``."""
    package = f"linux-source-{series}"
    progress(f"fetching {package} {package_version} (about 140 MB)")
    generators = [name for name in GENERATORS if not shutil.which(name)]
    site.run("apt-get", "download", "-q", f"{package}={package_version}", *generators)
    progress("unpacking it")
    for name in generators:
        site.run("dpkg-deb", "-x", *_debs(site, name), "tools")
    site.run("dpkg-deb", "-x", *_debs(site, package), "package")
    site.run("tar", "xf", f"package/usr/src/{package}.tar.xz")
    return site.directory / package


def _debs(site: _Site, package: str) -> Sequence[str]:
    return [str(path) for path in site.directory.glob(f"{package}_*.deb")]


def _make(site: _Site, sources: Path, *arguments: str, **environment: str) -> None:
    tools = site.directory / "tools/usr"
    if tools.exists():
        environment |= {
            "PATH": f"{tools}/bin:{os.environ['PATH']}",
            "BISON_PKGDATADIR": f"{tools}/share/bison",
            "M4": f"{tools}/bin/m4" if (tools / "bin/m4").exists() else "m4",
        }
    out = site.directory / "out"
    jobs = f"-j{os.cpu_count() or 1}"
    site.run("make", "ARCH=um", f"O={out}", jobs, *arguments, cwd=sources, **environment)
