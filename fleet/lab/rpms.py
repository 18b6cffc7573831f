"""Builds a release's package repository on the spot: one spec with a subpackage a package, and the index of the result."""

from __future__ import annotations

from pathlib import Path
from typing import List

from fleet.lab import cache, command, recipe

HEADER = """\
Name: lab-packages
Version: 1.0
Release: 1
Summary: Packages of Skiff's lab
License: Apache-2.0
BuildArch: noarch
AutoReqProv: no
%define _binary_payload w1.gzdio
%define __os_install_post %{nil}
%description
Packages of Skiff's lab.
"""


def packages(release: str) -> List[recipe.Package]:
    """The packages of a release."""
    return [package for package in recipe.PACKAGES if release in package.releases]


def repository(directory: Path, release: str) -> Path:
    """The directory of the release's repository, from the cache or built."""
    key = cache.digest(packages(release), release, HEADER, Path(__file__))
    return cache.obtain(directory, f"rpms-{release}", key, lambda aside, fd: _build(aside, release, fd))


def spec(release: str) -> str:
    """The spec file's text."""
    chosen = packages(release)
    return "\n".join(
        [
            HEADER,
            *(_declaration(package, release) for package in chosen),
            "%install",
            *(line for package in chosen for line in _install(package)),
            *(_files(package) for package in chosen),
        ]
    )


def _declaration(package: recipe.Package, release: str) -> str:
    tags = [f"Provides: {what}" for what in package.provides] + [f"Requires: {what}" for what in package.requires]
    return "\n".join(
        [
            f"%package -n {package.name}",
            f"Version: {package.version}",
            f"Release: 1.{release}",
            f"Summary: {package.name} of Skiff's lab",
            "AutoReqProv: no",
            *tags,
            f"%description -n {package.name}",
            f"Stands in for {package.name}.",
        ]
    )


def _payload(package: recipe.Package) -> str:
    return f"/usr/share/lab/packages/{package.name}"


def _install(package: recipe.Package) -> List[str]:
    own = f"%{{buildroot}}{_payload(package)}"
    lines = [f'mkdir -p "$(dirname {own})"', f"echo '{package.name} {package.version}' > {own}"]
    for path, target in package.links:
        lines += [f'mkdir -p "$(dirname %{{buildroot}}{path})"', f"ln -s {target} %{{buildroot}}{path}"]
    return lines


def _files(package: recipe.Package) -> str:
    return "\n".join([f"%files -n {package.name}", _payload(package), *(path for path, _ in package.links)])


def _build(aside: Path, release: str, fd: int) -> None:
    work = aside / ".build"
    work.mkdir()
    (work / "lab.spec").write_text(spec(release))
    defines = [f"_topdir {work}", f"_rpmdir {aside}", f"_tmppath {work}", f"_dbpath {work}/db"]
    options = [word for define in defines for word in ("--define", define)]
    command.run(["rpmbuild", "-bb", "--quiet", *options, str(work / "lab.spec")], pass_fds=[fd])
    cache.remove_tree(work)
    command.run(["createrepo_c", "--quiet", str(aside)], pass_fds=[fd])
