"""Containers of a busybox, made through a real launcher and spoken to through their shim's socket."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import struct
from pathlib import Path
from typing import Any

from skiff.cgroup import hierarchy
from skiff.launcher import client
from skiff.spec.defaults import default_spec

APPLETS = (
    "sh", "true", "ls", "cat", "id", "env", "sleep", "hostname", "touch", "dd", "head", "grep", "readlink", "stat", "mknod", "ip",
    "wc", "tr", "mkdir",
)  # fmt: skip
TIMEOUT = 20.0


class Refused(Exception):
    """The launcher or the shim said no; `error` is what it said."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.error = error
        super().__init__(error["message"])


class Shim:
    """One connection to a shim."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT)
        self.file = self.sock.makefile("rwb", buffering=0)
        try:
            self.sock.connect(str(path))
            self.hello = self.receive()
        except BaseException:
            self.close()
            raise

    def receive(self) -> dict[str, Any]:
        line = self.file.readline()
        if not line:
            raise EOFError("the shim closed the connection")
        message: dict[str, Any] = json.loads(line)
        return message

    def send(self, op: str, **fields: Any) -> None:
        self.file.write(json.dumps({"op": op, **fields}).encode() + b"\n")

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        self.send(op, **fields)
        return self.answer()

    def execute(self, process: dict[str, Any], *passed: int) -> int:
        """The number of a further process, which has these descriptors."""
        line = json.dumps({"op": "exec", "process": process}).encode() + b"\n"
        socket.send_fds(self.sock, [line], list(passed))
        pid: int = self.answer()["pid"]
        return pid

    def answer(self) -> dict[str, Any]:
        answer = self.receive()
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer

    def close(self) -> None:
        self.file.close()
        self.sock.close()


class Container:
    """One that the launcher has created."""

    def __init__(self, box: Box, identity: str, reply: dict[str, Any]) -> None:
        self.box, self.id = box, identity
        self.pid, self.shim_pid = reply["pid"], reply["shim"]
        self.log_path = box.path / f"{identity}.log"
        self.upper = box.path / identity / "upper"

    def connect(self) -> Shim:
        return Shim(self.box.exec_root / "shims" / f"{self.id}.sock")

    def ask(self, op: str, **fields: Any) -> dict[str, Any]:
        shim = self.connect()
        try:
            return shim.ask(op, **fields)
        finally:
            shim.close()

    def run(self) -> dict[str, Any]:
        """Start it and wait: the exit."""
        self.ask("start")
        ended: dict[str, Any] = self.ask("wait")["exit"]
        return ended

    def process(self, *arguments: str, **changes: Any) -> dict[str, Any]:
        """The container's own, with another program."""
        spec = json.loads((self.box.path / self.id / "config.json").read_text())
        return {**spec["process"], "args": list(arguments), **changes}

    def exec(self, *arguments: str, given: bytes = b"", **changes: Any) -> tuple[dict[str, Any], str, str]:
        """Exit, standard output and standard error of a further process."""
        shim = self.connect()
        pipes = [os.pipe() for _ in range(3)]
        (inner, stdin), (stdout, out), (stderr, err) = pipes
        try:
            shim.execute(self.process(*arguments, **changes), inner, out, err)
            for fd in (inner, out, err):
                os.close(fd)
            os.write(stdin, given)
            os.close(stdin)
            said = [read_all(fd) for fd in (stdout, stderr)]
            return shim.answer()["exit"], said[0], said[1]
        finally:
            shim.close()
            for fd in (fd for pipe in pipes for fd in pipe):
                with contextlib.suppress(OSError):
                    os.close(fd)

    def log(self, stream: str = "stdout") -> str:
        entries = [json.loads(line) for line in self.log_path.read_text().splitlines()]
        return "".join(entry["log"] for entry in entries if entry["stream"] == stream)


class Box:
    """A root file system to change before the first container, a launcher, and what they made."""

    def __init__(self, path: Path, prefix: str, busybox: Path) -> None:
        self.path, self.prefix = path, prefix
        self.rootfs = path / "rootfs"
        self.exec_root = path / "run"
        for name in ("bin", "etc", "tmp", "root"):
            (self.rootfs / name).mkdir(parents=True)
        shutil.copy(busybox, self.rootfs / "bin" / "busybox")
        for name in APPLETS:
            (self.rootfs / "bin" / name).symlink_to("busybox")
        (self.rootfs / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\nann:x:1000:1001::/home/ann:/bin/sh\n")
        (self.rootfs / "etc" / "group").write_text("root:x:0:\nstaff:x:50:ann\nann:x:1001:\n")
        self.sequence = 0
        self.sock: socket.socket | None = None
        self.containers: list[Container] = []

    def launcher(self) -> socket.socket:
        """The launcher, started when first wanted."""
        if self.sock is None:
            self.sock = client.spawn(str(self.exec_root))
        return self.sock

    def spec(self, *arguments: str) -> dict[str, Any]:
        spec: dict[str, Any] = dict(default_spec())
        spec["process"]["args"] = list(arguments)
        spec["process"]["env"] = ["PATH=/bin"]
        spec["hostname"] = "box"
        return spec

    def bundle(self, identity: str, spec: dict[str, Any]) -> tuple[Path, list[dict[str, Any]]]:
        """A bundle, and the mount that makes its root."""
        directory = self.path / identity
        for name in ("rootfs", "upper", "work"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "config.json").write_text(json.dumps(spec))
        options = [f"lowerdir={self.rootfs}", f"upperdir={directory / 'upper'}", f"workdir={directory / 'work'}"]
        return directory, [{"type": "overlay", "source": "overlay", "options": options}]

    def create(
        self,
        spec: dict[str, Any],
        identity: str = "c1",
        stdin: bool = False,
        log: dict[str, int] | None = None,
        overlay: bool = True,
    ) -> Container:
        """Through the launcher; without `overlay` on the root file system itself."""
        if not overlay:
            spec["root"]["path"] = str(self.rootfs)
        directory, mounts = self.bundle(identity, spec)
        self.sequence += 1
        reply = client.request(
            self.launcher(),
            {
                "seq": self.sequence,
                "op": "create",
                "v": 1,
                "id": identity,
                "bundle": str(directory),
                "mounts": mounts if overlay else [],
                "log": {"driver": "json-file", "path": str(self.path / f"{identity}.log"), **(log or {})},
                "stdin": stdin,
                "cgroup": {"driver": "cgroupfs", "path": f"{self.prefix}/{identity}"},
            },
        )
        if not reply["ok"]:
            raise Refused(reply["error"])
        container = Container(self, identity, reply)
        self.containers.append(container)
        return container

    def run(self, *arguments: str, **changes: Any) -> tuple[dict[str, Any], str]:
        """Exit and standard output of a container, deleted again; `changes` replace keys of its process."""
        spec = self.spec(*arguments)
        spec["process"].update(changes)
        return self.run_spec(spec)

    def run_spec(self, spec: dict[str, Any]) -> tuple[dict[str, Any], str]:
        container = self.create(spec)
        ended, said = container.run(), container.log()
        container.ask("delete")
        container.log_path.unlink()
        return ended, said

    def close(self) -> None:
        for container in self.containers:
            if (self.exec_root / "shims" / f"{container.id}.sock").exists():
                try:
                    container.ask("delete", force=True)
                except (ConnectionError, EOFError, FileNotFoundError):
                    continue  # it dies while we look
        if self.sock is not None:
            self.sock.close()


def read_all(fd: int) -> str:
    """To the end of the file."""
    with open(fd, "rb", closefd=False) as file:
        return file.read().decode()


def frames(data: bytes) -> list[tuple[int, bytes]]:
    """Docker's multiplexed frames: stream and payload."""
    found = []
    while data:
        stream, length = struct.unpack(">B3xI", data[:8])
        found.append((stream, data[8 : 8 + length]))
        data = data[8 + length :]
    return found


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def cgroup_directory(controller: str, path: str) -> Path:
    """The controller's own in version 1, the one there is in version 2."""
    layout = hierarchy.discover()
    return Path(f"{layout.controllers.get(controller, layout.unified)}{path}")


def status_field(pid: int, name: str) -> str:
    """A line of /proc/PID/status."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.split(":", 1)[1].strip()
    raise KeyError(name)
