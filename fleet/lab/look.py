"""The layer over the root file system that makes it look like a release: identity, package database, no tools of another family."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import List, Mapping

from fleet.lab import cache, command, recipe, rootfs, rpms


def layer(directory: Path, release: recipe.Release, python: str = "release") -> Path:
    """The layer's directory, from the cache or built; with `python` "none" no Python is installed."""
    installed = [
        package for package in rpms.packages(release.name) if package.installed and (python != "none" or not package.links)
    ]
    links = dict(LINKS) if release.enterprise else {} if python == "none" else {"usr/bin/python3": recipe.HIDDEN_PYTHON}

    # Before the build, for the cache has one lock.
    repository = rpms.repository(directory, release.name) if release.enterprise else None

    def build(aside: Path, fd: int) -> None:
        _write(aside, release, links)
        if repository:
            _install(aside, repository, installed, fd)

    key = cache.digest(release, _files(release), links, installed, Path(__file__))
    return cache.obtain(directory, f"look-{release.name}", key, build)


def has_python(release: recipe.Release) -> bool:
    """Whether a new host of the release has a `python3`."""
    return not release.enterprise or any(package.links for package in rpms.packages(release.name) if package.installed)


def os_release(release: recipe.Release) -> str:
    """The text of /etc/os-release."""
    name = release.title.partition(f" {release.version}")[0]
    fields = {"NAME": name, "VERSION": release.version, "ID": release.id, "ID_LIKE": release.id_like}
    fields.update(
        {"VERSION_ID": release.version, "PRETTY_NAME": release.title, "VARIANT": recipe.STAND_IN, "VARIANT_ID": "skiff-lab"}
    )
    if release.enterprise:
        fields["PLATFORM_ID"] = f"platform:{release.name}"
    return "".join(f'{key}="{value}"\n' for key, value in fields.items() if value)


def _files(release: recipe.Release) -> List[recipe.File]:
    files = [recipe.File("/usr/lib/os-release", os_release(release))]
    if release.enterprise:
        files += [
            recipe.File("/etc/centos-release", f"{release.title}\n"),
            recipe.File("/etc/selinux/config", recipe.SELINUX),
            recipe.File("/etc/dnf/vars/releasever", f"{release.version}\n"),
            recipe.File("/etc/dnf/vars/stream", f"{release.version}-stream\n"),
            recipe.File("/etc/yum.repos.d/lab.repo", recipe.LAB_REPO),
        ]
    return files


LINKS = {
    "etc/redhat-release": "centos-release",
    "etc/system-release": "centos-release",
    "etc/sysconfig/selinux": "../selinux/config",
    "usr/bin/yum": "dnf-3",
}


def _write(tree: Path, release: recipe.Release, links: Mapping[str, str]) -> None:
    for file in _files(release):
        rootfs.write(tree, file)
    for path, target in links.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    for hidden in release.hidden:
        whiteout = tree / hidden.lstrip("/")
        whiteout.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(whiteout, stat.S_IFCHR | 0o600, 0)


def _install(tree: Path, repository: Path, packages: List[recipe.Package], fd: int) -> None:
    """Fills the release's package database with what a minimal install has."""
    chosen = [repository / "noarch" / f"{package.name}-{package.version}-*.rpm" for package in packages if package.installed]
    paths = [str(path) for pattern in chosen for path in pattern.parent.glob(pattern.name)]
    options = ["--root", str(tree), "--define", "_dbpath /var/lib/rpm", "--force-debian", "--nodeps", "--nosignature"]
    command.run(["rpm", *options, "-i", *paths], pass_fds=[fd])
