"""skiff-oci as a command, on bundles of a busybox."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.root.box import Box

COMMAND = Path(__file__).parents[2] / "runtime" / "bin" / "skiff-oci"


class Oci:
    """The command on a root of its own, with bundles whose root is a copy of the box's."""

    def __init__(self, box: Box, path: Path) -> None:
        self.box, self.root = box, path / "oci"
        self.numbers = itertools.count()
        self.owner = 0
        self.command = [str(COMMAND)]
        self.python = sys.executable
        self.pass_fds: tuple[int, ...] = ()

    def bundle(self, identity: str, *arguments: str, **changes: Any) -> Path:
        directory = self.box.path / identity
        directory.mkdir()
        subprocess.run(["cp", "-a", self.box.rootfs, directory / "rootfs"], check=True)
        if self.owner:
            subprocess.run(["chown", "-hR", f"{self.owner}:{self.owner}", directory / "rootfs"], check=True)
        spec = {**self.box.spec(*arguments), **changes}
        spec["linux"]["cgroupsPath"] = f"{self.box.prefix}/{identity}"
        (directory / "config.json").write_text(json.dumps(spec))
        return directory

    def spec(self, identity: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a bundle's config.json."""
        path = self.box.path / identity / "config.json"
        spec = json.loads(path.read_text())
        change(spec)
        path.write_text(json.dumps(spec))

    def run(
        self,
        *arguments: str,
        process: Any = None,
        linux: Any = None,
        mounts: Any = (),
        check: bool = True,
        flags: Any = (),
        **top: Any,
    ) -> subprocess.CompletedProcess[str]:
        """A container of a bundle of its own, from its start to nothing; the parts are added to the default's."""
        identity = f"c{next(self.numbers)}"
        bundle = self.bundle(identity, *arguments)

        def change(spec: dict[str, Any]) -> None:
            spec["process"].update(process or {})
            spec["linux"].update(linux or {})
            spec["mounts"] += mounts
            spec.update(top)

        self.spec(identity, change)
        return self("run", "-b", str(bundle), *flags, identity, check=check)

    def said(self, *arguments: str, **changes: Any) -> str:
        """What its program says."""
        return self.run(*arguments, **changes).stdout

    def by_runc(self, *arguments: str, **changes: Any) -> str:
        """What it says when runc runs it."""
        if shutil.which("runc") is None:
            pytest.skip("runc is not installed")
        own, self.command = self.command, ["runc"]
        try:
            return self.said(*arguments, **changes)
        finally:
            self.command = own

    def refused(self, *arguments: str, **changes: Any) -> str:
        """Why it is not made."""
        done = self.run(*arguments, check=False, **changes)
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        return done.stderr

    def __call__(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [*self.command, "--root", str(self.root), *arguments]
        environment = {**os.environ, "SKIFF_PYTHON": self.python}
        # A file, not a pipe: a container that outlives `create` would hold the pipe open.
        with (
            open(self.box.path / "output", "w+", encoding="utf-8") as out,
            open(self.box.path / "errors", "w+", encoding="utf-8") as err,
        ):
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, timeout=120, pass_fds=self.pass_fds
            )
            out.seek(0)
            err.seek(0)
            result = subprocess.CompletedProcess(command, done.returncode, out.read(), err.read())
        assert not check or result.returncode == 0, result.stderr
        return result

    def reap(self) -> None:
        """What was orphaned to us, as the host's init would: a pid namespace does not end before."""
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue

    def state(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("state", identity).stdout)
        return found
