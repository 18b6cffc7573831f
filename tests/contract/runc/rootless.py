"""The bench of a user without rights, who has a copy of the runtime and one id."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.runc.bench import OURS, THEIRS, Bench

UID = 54321
RUNTIME = Path(OURS).parents[1]


class Rootless(Bench):
    """As Bench; the documents are what `runc spec --rootless` writes, without cgroups."""

    def __init__(self, path: Path, busybox: Path, holder: str) -> None:
        super().__init__(path, "", [], busybox, holder)
        shutil.copytree(RUNTIME, path / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
        self.ours = str(path / "runtime" / "bin" / "skiff-oci")
        self.prefix = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
        self.python = next((found for found in (sys.executable, "/usr/bin/python3") if self._may_run(found)), "")
        if not self.python:
            pytest.skip("no Python that another user may run")
        self.state.mkdir()
        self._hand_over(self.state)

    def _may_run(self, python: str) -> bool:
        # By a shell, for setpriv itself still has root's rights when it executes something.
        script = 'exec "$0" -I -c "import sys; sys.exit(sys.version_info < (3, 9))"'
        return subprocess.run([*self.prefix, "sh", "-c", script, python], capture_output=True).returncode == 0

    @staticmethod
    def _hand_over(path: Path) -> None:
        subprocess.run(["chown", "-hR", f"{UID}:{UID}", path], check=True)

    def _base(self) -> dict[str, Any]:
        document = super()._base()
        (self.bundle / "config.json").unlink()
        subprocess.run([THEIRS, "spec", "--rootless", "-b", str(self.bundle)], check=True)
        rootless: dict[str, Any] = json.loads((self.bundle / "config.json").read_text())
        for rows in ("uidMappings", "gidMappings"):
            rootless["linux"][rows][0]["hostID"] = UID
        del document["linux"]["cgroupsPath"], document["linux"]["resources"]
        linux = {**document["linux"], **rootless["linux"]}
        mounts = [mount for mount in rootless["mounts"] if mount["type"] != "cgroup"]  # a mutation of its own
        return {**document, "linux": linux, "mounts": mounts}

    def lay(self, document: Any) -> None:
        """A bundle of the user's."""
        super().lay(document)
        shutil.rmtree(self.bundle / "rootfs")
        subprocess.run(["cp", "-a", self.template, self.bundle / "rootfs"], check=True)
        self._hand_over(self.bundle)
