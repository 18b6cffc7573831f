"""The runtime's files: one directory a version under /opt/skiff, the link to the current one, the commands, the data root."""

from __future__ import annotations

import os.path
from typing import List, Union

from fleet.facts import Facts
from fleet.resources import Archive, Directory, Group, Handler, Link, Resource, Succession, Versions
from fleet.variables import Variables
from roles import engine, interpreter

HOME = "/opt/skiff"
CURRENT = f"{HOME}/current"
COMMANDS = ("skiff", "skiff-oci")
GROUP = "skiff"
FEWEST = 2
TOP = {
    *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run", "sbin", "srv", "sys"),
    *("tmp", "usr", "var"),
}
SHARED = {HOME, *(f"/var/{name}" for name in ("cache", "lib", "log", "run", "spool", "tmp"))}


def refusals(facts: Facts, variables: Variables) -> List[str]:
    """A data root that is no absolute path, or one that its mode would close to the host's users; too few versions."""
    few = variables.integer("versions_kept") < FEWEST
    kept = [f"versions_kept: should be at least {FEWEST}: the current version, and the one to go back to."] if few else []
    return [*root_faults("data_root", variables.string("data_root")), *kept]


def root_faults(name: str, root: str) -> List[str]:
    """What stands against a directory that an engine is to have for itself; `name` is the variable that names it."""
    if _of_the_system(root):
        return [f"{name}: {root} is a directory of the system's; name one of its own below it."]
    if root.startswith("/") and os.path.normpath(root) == root and root != "/":
        return []
    return [f"{name}: {root!r} should be an absolute path below /, without a slash at its end."]


def _of_the_system(root: str) -> bool:
    parts = root.strip("/").split("/")
    return root in SHARED or (parts[0] in TOP and len(parts) == 1) or parts[0] in ("dev", "proc", "sys")


def resources(facts: Facts, variables: Variables) -> List[Union[Resource, Handler]]:
    """The version's directory, then the links to it: whoever follows `current` finds a whole version at any time.

    Without a bundle the version has to be there already: to go back takes none.
    """
    if engine.is_docker(variables):
        return []
    version, python = variables.string("bundle_version"), interpreter.choose(facts)
    run = variables.as_dict()
    path = python.path if python else "/usr/bin/python3"
    return [
        Group(GROUP, system=True),
        Directory(HOME),
        Succession(HOME, version, **run.get("succession", {"follows": None, "shims": None})),
        Archive(f"{HOME}/{version}", run.get("bundle"), compile_with=path, links={"python": path}),
        Link(CURRENT, version),
        *(Link(f"/usr/local/bin/{command}", f"{CURRENT}/bin/{command}") for command in COMMANDS),
        Directory(variables.string("data_root"), mode="0711", data=True),
        # By a switch alone: that a container ended, and a version is held by none any more, is no drift.
        Handler(Versions(HOME, version, variables.integer("versions_kept")), (f"link:{CURRENT}",)),
    ]
