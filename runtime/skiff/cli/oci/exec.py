"""skiff-oci exec: a further process in a container."""

from __future__ import annotations

import os

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import create, options, passed, waiting
from skiff.cli.oci.log import LOG
from skiff.cli.oci.run import open_terminal
from skiff.errors import Conflict, InvalidInput
from skiff.linux import prctl
from skiff.oci import execution, store
from skiff.oci.execution import Execution
from skiff.oci.process import ignored_capabilities
from skiff.spec import jsontext, validate
from skiff.spec.fields import Checker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skiff.cli.oci.terminal import Terminal
    from skiff.spec.types import Process, Spec

FLAGS = {
    "additional-gids": options.LIST, "g": "=additional-gids",
    "apparmor": options.VALUE,
    "cap": options.LIST, "c": "=cap",
    "cgroup": options.LIST,
    "console-socket": options.VALUE,
    "cwd": options.VALUE,
    "detach": options.FLAG, "d": "=detach",
    "env": options.LIST, "e": "=env",
    "ignore-paused": options.FLAG,
    "no-new-privs": options.FLAG,
    "no-subreaper": options.FLAG,
    "pid-file": options.VALUE,
    "preserve-fds": options.VALUE,
    "process": options.VALUE, "p": "=process",
    "process-label": options.VALUE,
    "tty": options.FLAG, "t": "=tty",
    "user": options.VALUE, "u": "=user",
}  # fmt: skip


def main(containers: store.Store, arguments: list[str]) -> int:
    """The program's exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    if not rest:
        raise options.Misuse("exec takes a container id, and a program unless --process names a file")
    spec = containers.load_spec(rest[0]) if containers.load(rest[0]) else {}
    process = _process(flags, rest[1:], spec)
    preserved = passed.descriptors(flags, process)
    for name in ignored_capabilities(process, everything=create.has_user_namespace(spec)):
        LOG.warning(f"ignoring unknown or unavailable capability {name}")
    if "no-subreaper" not in flags:
        prctl.prctl(prctl.PR_SET_CHILD_SUBREAPER, 1)
    connection, terminal = open_terminal(flags, bool(process.get("terminal")))
    request = _Request(containers, rest[0], spec, process, flags, preserved, connection)
    if terminal is None:
        return request.run(None)
    with terminal:
        return request.run(terminal)


class _Request:
    """One exec."""

    def __init__(
        self,
        containers: store.Store,
        identity: str,
        spec: Spec,
        process: Process,
        flags: dict[str, str],
        preserved: int,
        console: int,
    ) -> None:
        self._containers, self._identity, self._spec, self._process = containers, identity, spec, process
        self._flags, self._preserved, self._console = flags, preserved, console

    def run(self, terminal: Terminal | None) -> int:
        """Start it and, unless detached, wait for it."""
        with self._containers.lock(self._identity):
            pid = self._start()
        if terminal is not None:
            os.close(terminal.connection)
            terminal.attach()
        if "detach" in self._flags:
            return 0
        waiting.forward_signals(pid)
        if terminal is not None:
            terminal.relay()
        return waiting.wait(pid)

    def _start(self) -> int:
        state = self._containers.load(self._identity)
        execution.require_alive(state, paused_too="ignore-paused" in self._flags)
        wanted = Execution(state, self._spec, self._process, self._cgroups(state["cgroup"]), self._containers.root)
        wanted.preserved, wanted.console = self._preserved, self._console
        attending = wanted.start()
        if "pid-file" in self._flags:
            try:
                store.replace(self._flags["pid-file"], str(attending.pid))
            except BaseException:
                attending.abandon()
                raise
        return attending.pid

    def _cgroups(self, path: str) -> list[str]:
        """The files to enter; --cgroup names one below, for all controllers or for some."""
        entrances = open_manager(path).entrances()
        for word in options.many(self._flags, "cgroup"):
            names, colon, below = word.rpartition(":")
            wanted = set(names.split(",")) if colon else set()
            if ".." in below.split("/"):
                raise InvalidInput(f"--cgroup {word}: must not lead out of the container's own")
            entrances = [_below(entrance, below, wanted) for entrance in entrances]
        for entrance in entrances:
            if not os.path.exists(entrance):
                raise InvalidInput(f"--cgroup: {os.path.dirname(entrance)} does not exist")
        return entrances


def _below(entrance: str, below: str, wanted: set[str]) -> str:
    directory, _, name = entrance.rpartition("/")
    parts = {word for part in directory.split("/") for word in part.split(",")}
    return f"{directory}/{below.strip('/')}/{name}" if not wanted or wanted & parts else entrance


def _process(flags: dict[str, str], arguments: list[str], spec: Spec) -> Process:
    """From a file, or the container's own with what the flags say."""
    if "process" in flags:
        return _from_file(flags["process"])
    if not arguments:
        raise InvalidInput("process args cannot be empty: name a program, or a file by --process")
    if "process" not in spec:
        raise Conflict("the container has no process to take as a pattern: its creation was cut short")
    process: dict[str, Any] = {**spec["process"], "args": arguments, "terminal": "tty" in flags}
    process["env"] = [*(process.get("env") or []), *options.many(flags, "env")]
    process["user"] = _user(flags, process.get("user") or {})
    for flag, key in (("cwd", "cwd"), ("apparmor", "apparmorProfile"), ("process-label", "selinuxLabel")):
        if flag in flags:
            process[key] = flags[flag]
    if "no-new-privs" in flags:
        process["noNewPrivileges"] = True
    added = options.many(flags, "cap")
    if added:
        sets = process.get("capabilities") or {}
        process["capabilities"] = {
            **sets, **{name: [*(sets.get(name) or []), *added] for name in ("bounding", "effective", "permitted", "ambient")}
        }  # fmt: skip
    validate.process(Checker("exec"), process)
    return process  # type: ignore[return-value]  # that it is one has been checked


def _user(flags: dict[str, str], user: dict[str, Any]) -> dict[str, Any]:
    found = dict(user)
    if "user" in flags:
        uid, colon, gid = flags["user"].partition(":")
        if not uid.isdigit() or (colon and not gid.isdigit()):
            raise InvalidInput(f"--user {flags['user']}: uid or uid:gid, as numbers")
        found = {"uid": int(uid), "gid": int(gid) if colon else user.get("gid", 0), "umask": user.get("umask", 0o022)}
    more = options.many(flags, "additional-gids")
    if not all(gid.isdigit() for gid in more):
        raise options.Misuse(f"--additional-gids {','.join(more)}: numbers are wanted")
    found["additionalGids"] = [*(found.get("additionalGids") or []), *(int(gid) for gid in more)]
    return found


def _from_file(path: str) -> Process:
    try:
        with open(path, "rb") as file:
            process: Any = jsontext.loads(file.read())
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"--process {path}: {error}") from error
    checker = Checker(path)
    validate.process(checker, checker.table("process", process))
    return process  # type: ignore[no-any-return]  # that it is one has been checked
