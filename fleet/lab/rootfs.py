"""The root file system that all hosts share, read-only: made by mmdebstrap, then by the recipe's files, users and masks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Sequence

from fleet.lab import cache, command, recipe, sources

APT = Path("/etc/apt")
SHEBANGS = (b"#!/usr/bin/python3", b"#! /usr/bin/python3", b"#!/usr/bin/env python3")
# Made anew for each lab and host, or for nobody.
LEFTOVERS = ("etc/ssh/ssh_host_*", "etc/hostname", "etc/resolv.conf", "var/lib/dpkg/info")
APT_LEFTOVERS = ("etc/apt/apt.conf.d/99mmdebstrap", "etc/apt/sources.list.d/*", "var/lib/apt", "var/cache/*", "var/log/*")


def root(directory: Path) -> Path:
    """The root file system's directory, from the cache or built."""
    parts = (recipe.DEBIAN_PACKAGES, recipe.EXCLUDED_PATHS, recipe.MASKED_UNITS, recipe.ROOT_FILES, recipe.USERS)
    key = cache.digest(sources.codename(), *parts, Path(__file__))
    return cache.obtain(directory, "root", key, _build)


def is_cached(directory: Path) -> bool:
    """Whether any root file system was built here before; for telling a person how long it takes."""
    return any(directory.glob("root-*"))


def debootstrap(aside: Path, tree: Path, packages: Sequence[str], fd: int) -> None:
    """Makes a tree of Debian packages from the machine's own sources; `aside` holds apt's settings meanwhile."""
    codename = sources.codename()
    apt = aside / ".apt"
    apt.mkdir(mode=0o700)
    (apt / "lab.sources").write_text(sources.deb822(sources.find(APT, codename)))
    (apt / "apt.conf").write_text(sources.settings())
    command.run(
        [
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory"),
            f"--include={','.join(packages)}",
            f"--aptopt={apt / 'apt.conf'}",
            *(f"--dpkgopt=path-exclude={path}" for path in recipe.EXCLUDED_PATHS),
            *(codename, str(tree), str(apt / "lab.sources")),
        ],
        pass_fds=[fd],
    )
    cache.remove_tree(apt)
    for pattern in APT_LEFTOVERS:
        for path in tree.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _build(aside: Path, fd: int) -> None:
    tree = aside / "tree"
    debootstrap(aside, tree, recipe.DEBIAN_PACKAGES, fd)
    hide_python(tree)
    for file in recipe.ROOT_FILES:
        write(tree, file)
    for user in recipe.USERS:
        _add(tree, user)
    enabled = tree / "etc/systemd/system/sysinit.target.wants/lab-prepare.service"
    enabled.symlink_to("/etc/systemd/system/lab-prepare.service")
    for unit in recipe.MASKED_UNITS:
        mask = tree / "etc/systemd/system" / unit
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")
    for pattern in LEFTOVERS:
        for path in tree.glob(pattern):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def write(tree: Path, file: recipe.File) -> None:
    """Writes a file into a tree."""
    place = tree / file.path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.write_text(file.text)
    place.chmod(file.mode)


def hide_python(tree: Path) -> None:
    """Moves Debian's interpreter out of the PATH, for dnf and firewalld alone, so that `python3` can be the release's."""
    hidden = tree / recipe.HIDDEN_PYTHON.lstrip("/")
    hidden.parent.mkdir(parents=True, exist_ok=True)
    (tree / "usr/bin/python3").resolve().rename(hidden)
    for name in ("python3", "python3.11"):
        (tree / "usr/bin" / name).unlink(missing_ok=True)
    release = tree / recipe.RELEASE_PYTHON.lstrip("/") / "bin"
    release.mkdir(parents=True)
    (release / "python3").symlink_to(recipe.HIDDEN_PYTHON)
    for folder in ("usr/bin", "usr/sbin"):
        for script in (tree / folder).iterdir():
            if script.is_file() and not script.is_symlink():
                _rewrite_shebang(script)


def _rewrite_shebang(script: Path) -> None:
    with script.open("rb") as file:
        if not file.read(24).startswith(SHEBANGS):
            return
    _, _, rest = script.read_bytes().partition(b"python3")
    script.write_bytes(b"#!" + recipe.HIDDEN_PYTHON.encode() + rest)


def _add(tree: Path, user: recipe.User) -> None:
    if user.group:
        command.run(["chroot", str(tree), "groupadd", "--force", user.group])
    groups = ["--groups", user.group] if user.group else []
    command.run(["chroot", str(tree), "useradd", "--create-home", "--shell", user.login_shell, *groups, user.name])
    if user.password:
        command.run(["chroot", str(tree), "chpasswd"], stdin=f"{user.name}:{user.password}\n")
