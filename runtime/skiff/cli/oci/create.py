"""skiff-oci create: a container up to the moment before its program."""

from __future__ import annotations

import os

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.errors import InvalidInput
from skiff.linux import signals
from skiff.oci import bundle, store
from skiff.oci.channels import for_another_process
from skiff.oci.create import Surroundings, create

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Spec

FLAGS = {
    "bundle": options.VALUE,
    "pid-file": options.VALUE,
    "no-new-keyring": options.ACCEPTED,
    "console-socket": options.REFUSED,
    "no-pivot": options.REFUSED,
    "preserve-fds": options.REFUSED,
}
SLICE = "/skiff.slice"


def main(containers: store.Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    make(containers, options.one(rest), flags)
    return 0


def make(containers: store.Store, identity: str, flags: dict[str, str]) -> int:
    """Create, and write the pid file; the pid of init."""
    directory = os.path.abspath(flags.get("bundle", "."))
    spec = bundle.load(directory)
    path = cgroup_path(spec, identity)
    cgroup = open_manager(path)
    containers.add(identity)
    try:
        with containers.lock(identity):
            # So that delete finds the cgroup, and what waits in it, of a create that was killed.
            containers.save(identity, store.record(identity, 0, directory, path, {}))
            around = Surroundings(cgroup, [], (0, 1, 2), dies_with_parent=False)
            made = create(spec, directory, around, for_another_process(containers.directory(identity)))
            os.close(made.report)
            state = store.record(identity, made.pid, directory, path, spec.get("annotations") or {})
            rootfs = os.path.join(directory, spec["root"]["path"])
            try:
                containers.save(identity, {**state, "rootfs": rootfs, "program": spec["process"]["args"][0]})
                if "pid-file" in flags:
                    store.replace(flags["pid-file"], str(made.pid))
            except BaseException:
                os.kill(made.pid, signals.SIGKILL)
                os.waitpid(made.pid, 0)
                cgroup.delete()
                raise
    except BaseException:
        containers.remove(identity)
        raise
    return made.pid


def cgroup_path(spec: Spec, identity: str) -> str:
    """As config.json says, below the slice unless it is absolute."""
    asked = (spec.get("linux") or {}).get("cgroupsPath") or identity
    if ":" in asked:
        raise InvalidInput(f"linux.cgroupsPath: {asked!r} is for the systemd driver: give a path")
    return asked if asked.startswith("/") else f"{SLICE}/{asked}"
