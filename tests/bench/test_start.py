"""A static `true`, from create to delete, beside runc in the same run. Prints figures; asserts only that both did the work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from skiff.cgroup import files
from tests.bench.pairs import compare
from tests.root.box import Box

ROOT = Path(__file__).resolve().parents[2]
BUSYBOX = Path("/bin/busybox")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path, "/skiff-bench", BUSYBOX)
    yield made
    made.close()
    for hierarchy in Path("/sys/fs/cgroup").glob("*/skiff-bench"):
        files.remove(str(hierarchy))


def bundle(box: Box, name: str) -> Path:
    """A bundle on a plain directory, which runc can run as well: its root is the box's own files."""
    spec: Dict[str, Any] = box.spec("/bin/true")
    spec["root"] = {"path": str(box.rootfs), "readonly": True}
    spec["linux"]["cgroupsPath"] = f"/skiff-bench/{name}"
    spec["process"]["terminal"] = False
    directory = box.path / name
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(spec))
    return directory


def runc(box: Box, directory: Path) -> None:
    argv = ["runc", "--root", str(box.path / "runc"), "run", "--bundle", str(directory), "bench-runc"]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)


@pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not here: install runc")
def test_create_to_delete_beside_runc(box: Box, capsys: pytest.CaptureFixture[str]) -> None:
    peer = bundle(box, "peer")
    skiff_oci = [
        str(ROOT / "runtime/bin/skiff-oci"),
        "--root",
        str(box.path / "oci"),
        "run",
        "--bundle",
        str(bundle(box, "own")),
        "bench",
    ]

    environment = {**os.environ, "SKIFF_PYTHON": sys.executable}

    def warm() -> None:
        container = box.create(box.spec("/bin/true"))
        assert container.run()["code"] == 0
        container.ask("delete")

    def command() -> None:
        subprocess.run(skiff_oci, check=True, stdin=subprocess.DEVNULL, env=environment)

    def theirs() -> None:
        runc(box, peer)

    lines = [compare("warm launcher, create to delete, overlay", warm, theirs), compare("skiff-oci run", command, theirs)]
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
