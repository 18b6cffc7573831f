"""skiff-oci create: a container up to the moment before its program."""

from __future__ import annotations

import os

from skiff.cgroup import place
from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options, passed
from skiff.cli.oci.log import LOG
from skiff.errors import InvalidInput, SkiffError
from skiff.linux import signals
from skiff.oci import bundle, console, store
from skiff.oci.channels import for_another_process
from skiff.oci.create import Surroundings, create
from skiff.oci.process import ignored_capabilities

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.cgroup.manager import CgroupManager
    from skiff.oci.create import Created
    from skiff.spec.types import Spec

FLAGS = {
    "bundle": options.VALUE, "b": "=bundle",
    "pid-file": options.VALUE,
    "console-socket": options.VALUE,
    "no-new-keyring": options.FLAG,
    "no-pivot": options.FLAG,
    "preserve-fds": options.VALUE,
    "systemd-cgroup": options.FLAG,
}  # fmt: skip


def main(containers: store.Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    identity = options.one(rest)
    spec, directory = load(flags)
    if spec["process"].get("terminal") and "console-socket" not in flags:
        raise InvalidInput("cannot allocate tty if skiff-oci will detach without setting console socket: give --console-socket")
    terminal = -1
    if "console-socket" in flags:
        if not spec["process"].get("terminal"):
            raise InvalidInput("cannot use console socket if skiff-oci will not detach or allocate tty: leave --console-socket out")
        terminal = console.connect(flags["console-socket"])
    make(containers, identity, spec, directory, flags, terminal)
    return 0


def load(flags: dict[str, str]) -> tuple[Spec, str]:
    """The bundle's specification and its directory."""
    directory = os.path.abspath(flags.get("bundle", "."))
    spec = bundle.load(directory)
    users = has_user_namespace(spec)
    for name in ignored_capabilities(spec["process"], everything=users):
        LOG.warning(f"ignoring unknown or unavailable capability {name}")
    if os.geteuid() != 0 and not users:
        raise InvalidInput("rootless container requires user namespaces: see skiff-oci spec --rootless")
    return spec, directory


def has_user_namespace(spec: Spec) -> bool:
    """Whether its processes are in one, new or joined."""
    return any(namespace["type"] == "user" for namespace in (spec.get("linux") or {}).get("namespaces") or ())


def make(containers: store.Store, identity: str, spec: Spec, directory: str, flags: dict[str, str], terminal: int = -1) -> int:
    """Create, and write the pid file; the pid of init. `terminal` is a connected console socket or -1."""
    preserved = passed.descriptors(flags, spec["process"])
    path, cgroup = open_cgroup(spec, identity, "systemd-cgroup" in flags)
    containers.add(identity)
    try:
        with containers.lock(identity):
            # Before it is on record, for whoever deletes the record kills what is in the group.
            cgroup.require_vacant()
            containers.save(identity, store.begun(identity, directory, path, spec))
            around = Surroundings(identity, containers.root, cgroup)
            around.preserved, around.console = preserved, terminal
            around.no_pivot, around.keyring = "no-pivot" in flags, "no-new-keyring" not in flags
            around.meanwhile = lambda: containers.save_spec(identity, spec)
            made = create(spec, directory, around, for_another_process(containers.directory(identity)))
            os.close(made.report)
            os.close(made.gate)
            try:
                _record(containers, identity, spec, directory, path, made)
                if "pid-file" in flags:
                    store.replace(flags["pid-file"], str(made.pid))
            except BaseException:
                os.kill(made.pid, signals.SIGKILL)
                os.waitpid(made.pid, 0)
                cgroup.delete()
                raise
    except BaseException:
        from skiff.cli.oci.delete import poststop

        containers.remove(identity)
        poststop(spec, store.record(identity, 0, directory, path, spec))
        raise
    LOG.debug(f"created {identity}: process {made.pid}, cgroup {path or 'none'}")
    return made.pid


def _record(containers: store.Store, identity: str, spec: Spec, directory: str, path: str, made: Created) -> None:
    state = store.record(identity, made.pid, directory, path, spec)
    rootfs = os.path.join(directory, spec["root"]["path"])
    containers.save(identity, {**state, "rootfs": rootfs, "program": spec["process"]["args"][0]})


def open_cgroup(spec: Spec, identity: str, systemd: bool) -> tuple[str, CgroupManager]:
    """Its path and manager; without rights over any, and if none is asked for, an empty path and a manager that does nothing."""
    path = place.choose((spec.get("linux") or {}).get("cgroupsPath") or "", identity, systemd)
    manager = open_manager(path)
    if os.geteuid() == 0:
        return path, manager
    try:
        manager.create({})
    except (SkiffError, OSError) as error:
        linux = spec.get("linux") or {}
        if linux.get("cgroupsPath") or any(value for key, value in (linux.get("resources") or {}).items() if key != "devices"):
            raise SkiffError(f"this user cannot make the cgroup {path}, so that its limits cannot be set: {error}") from error
        return "", open_manager("")
    return path, manager
