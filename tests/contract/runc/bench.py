"""One bundle, made anew for each runtime at the same place, so that whatever the two report may be compared word for word."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from skiff.cgroup import files
from tests.contract.runc import sight

HERE = Path(__file__).parent
OURS = str(HERE.parents[2] / "runtime" / "bin" / "skiff-oci")
THEIRS = "runc"
TIMEOUT = 30.0
CONTAINER = "one"
PASSWD = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n"


class Bench:
    """`path` holds all; `cgroup` is where the containers' go; `hierarchies` are the directories below which it appears.

    `holder` is the /proc directory of a process in other namespaces.
    """

    def __init__(self, path: Path, cgroup: str, hierarchies: list[str], busybox: Path, holder: str) -> None:
        self.path, self.cgroup, self.hierarchies, self.holder = path, cgroup, hierarchies, holder
        self.bundle, self.source, self.state = path / "bundle", path / "source", path / "state"
        self.template = path / "template"
        self.parent = Path(holder, "stat").read_text().rpartition(")")[2].split()[1]
        self.ours, self.python = OURS, sys.executable
        self.prefix: list[str] = []
        self._template(busybox)
        self.base = self._base()

    def _template(self, busybox: Path) -> None:
        for name in ("bin", "etc", "tmp", "root", "proc", "dev", "sys", "home/ann", "mnt", "srv/deep"):
            (self.template / name).mkdir(parents=True)
        shutil.copy(busybox, self.template / "bin" / "busybox")
        for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                (self.template / "bin" / applet).symlink_to("busybox")
        for name, text in (("passwd", PASSWD), ("group", "root:x:0:\nann:x:1001:\n"), ("hidden", "secret\n"), ("kept", "kept\n")):
            (self.template / "etc" / name).write_text(text)
        (self.template / "link").symlink_to("/srv/deep")
        (self.template / "srv" / "deep" / "file").write_text("deep\n")
        for name in ("probe", "hook"):
            shutil.copy(HERE / f"{name}.sh", self.template / "bin" / name)
            (self.template / "bin" / name).chmod(0o755)

    def _base(self) -> dict[str, Any]:
        """What `runc spec` writes, with the probe in it and no terminal."""
        shutil.rmtree(self.bundle, ignore_errors=True)
        self.bundle.mkdir()
        subprocess.run([THEIRS, "spec", "-b", str(self.bundle)], check=True)
        document: dict[str, Any] = json.loads((self.bundle / "config.json").read_text())
        document["process"].update(terminal=False, args=["/bin/probe"], noNewPrivileges=False)
        document["root"]["readonly"] = False
        document["linux"]["cgroupsPath"] = f"{self.cgroup}/{CONTAINER}"
        return document

    def places(self) -> dict[str, str]:
        """What a mutation's texts may name."""
        return {"bundle": str(self.bundle), "source": str(self.source), "holder": self.holder, "cgroup": self.cgroup}

    def lay(self, document: Any) -> None:
        """A fresh bundle."""
        shutil.rmtree(self.bundle, ignore_errors=True)
        self.bundle.mkdir()
        subprocess.run(["cp", "-al", self.template, self.bundle / "rootfs"], check=True)
        shutil.copy(self.template / "bin" / "hook", self.bundle / "hook")
        self.write(document)

    def write(self, document: Any) -> None:
        """Its config.json."""
        (self.bundle / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))

    def facts(self, runtime: str, document: Any, flags: tuple[str, ...] = ()) -> tuple[dict[str, str], str]:
        """What is seen of one container from its start to its end, and what the runtime says on standard error."""
        self.lay(document)
        program = [*self.prefix, runtime, "--root", str(self.state)]
        command = [*program, "run", "-b", str(self.bundle), *flags, CONTAINER]
        if isinstance(document.get("process"), dict) and document["process"].get("terminal") is True:
            status, said, errors = self._on_a_terminal(command)
        else:
            status, said, errors = self._on_files(command)
        seen = {"exit": str(status), "refused": "yes" if status and errors and not said else "no"}
        if said:
            seen.update(sight.facts(said, self.whose))
        seen.update(self._hooks())
        seen["left"] = "\n".join(self._left())
        if seen["left"]:
            subprocess.run([*program, "delete", "--force", CONTAINER], capture_output=True, env=self.environment())
        seen["root after"] = "\n".join(self._root_after())
        return seen, errors

    def _on_files(self, command: list[str]) -> tuple[int, str, str]:
        """With two more descriptors open, which are the container's only where it is told so."""
        command = ["sh", "-c", 'exec "$@" 3</dev/null 4</dev/zero', "sh", *command]
        with open(self.path / "output", "w+", errors="replace") as out, open(self.path / "errors", "w+") as err:
            try:
                status = subprocess.run(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.environment(), timeout=TIMEOUT
                ).returncode
            except subprocess.TimeoutExpired:
                status = -1
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()

    def _on_a_terminal(self, command: list[str]) -> tuple[int, str, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=self.environment(), start_new_session=True
        ) as run:
            os.close(theirs)
            parts = []
            while part := _read(ours):
                parts.append(part)
            os.close(ours)
            run.kill()  # no more than a zombie, unless it was too long silent
        return run.returncode, b"".join(parts).decode(errors="replace").replace("\r\n", "\n"), ""

    def environment(self) -> dict[str, str]:
        """Of a runtime's process."""
        return {"PATH": os.environ["PATH"], "SKIFF_PYTHON": self.python}

    def whose(self, namespace: str) -> str:
        """Whether a namespace is the host's, the holder's, or a new one."""
        for name, place in (("host", "/proc/self"), ("holder", self.holder)):
            if any(os.readlink(f"{place}/ns/{kind}") == namespace for kind in os.listdir(f"{place}/ns")):
                return name
        return "new"

    def _hooks(self) -> dict[str, str]:
        """What each called hook said, in order."""
        found = {}
        for name, path in (("host", self.bundle / "hooks.log"), ("container", self.bundle / "rootfs" / "hooks.log")):
            if path.exists():
                text = re.sub(r"(\w+:\[\d+\])", lambda match: self.whose(match[1]), path.read_text())
                found[f"hooks {name}"] = re.sub(r"^state (.*)$", _state, text, flags=re.MULTILINE)
        return found

    def _left(self) -> list[str]:
        """What is still there of the container: state, mounts, cgroups, processes."""
        found = [str(path) for path in self.state.glob("*") if path.name != "@seccomp"]  # compiled filters are kept
        points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        found += [point for point in points if point.startswith(str(self.bundle))]
        found += [path for root in self.hierarchies for path in files.tree(root + self.cgroup) if not path.endswith(self.cgroup)]
        return [*found, *self._children()]

    def _children(self) -> list[str]:
        """Processes that were orphaned to us; dead ones are reaped."""
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        return [f"process {Path(f'/proc/{pid}/comm').read_text()}" for pid in pids if pid != self.parent]

    def _root_after(self) -> list[str]:
        """What became of the root file system: all that is new, and every directory."""
        rootfs = self.bundle / "rootfs"
        found = []
        for path in sorted(rootfs.glob("**/*")):
            if not (self.template / path.relative_to(rootfs)).exists() or path.is_dir():
                status = path.lstat()
                found.append(f"{path.relative_to(rootfs)} {status.st_mode:o} {status.st_uid} {status.st_gid} {status.st_rdev}")
        return found


def _state(told: re.Match[str]) -> str:
    """A state without the process's number; an empty value says no more than a missing one."""
    state = {key: value for key, value in json.loads(told[1]).items() if value}
    return json.dumps({**state, "pid": "pid" in state}, sort_keys=True)


def _read(terminal: int) -> bytes:
    if not select.select([terminal], [], [], TIMEOUT)[0]:
        return b""
    try:
        return os.read(terminal, 65536)
    except OSError:  # all that had it open are gone
        return b""
