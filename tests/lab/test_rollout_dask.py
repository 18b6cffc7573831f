"""A rollout over lab hosts whose runs go on at the workers of a real Dask scheduler."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

pytest.importorskip("distributed")

from fleet import bundle
from fleet.lab import Lab
from tests.cluster import Cluster, cluster
from tests.lab.control import ENDED_AT, Point
from tests.lab.rollouts import ended, versions_in
from tests.lab.suite import RUN, Suite, provisioned

OWN, NEXT = bundle.read_version(bundle.ROOT), "9.0.0"
NAMES = ["rolled1", "rolled2"]


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Cluster]:
    directory = tmp_path / "dask"
    directory.mkdir()
    with cluster(directory) as made:
        yield made


def test_a_rollout_killed_in_the_switch_goes_on_and_back(lab: Lab, dask: Cluster, tmp_path: Path) -> None:
    suite = Suite(lab, tmp_path)
    made = tmp_path / "next.tar.gz"
    made.write_bytes(bundle.build(bundle.ROOT, NEXT))
    with provisioned(lab, tmp_path, NAMES, 47):
        suite.options = ("--engine", f"dask://{dask.address}")
        suite.environment = Point("batch", nth=2, event="begin", about="link:/opt/skiff/current").environment()
        cut = suite.run("upgrade", ",".join(NAMES), "--to", str(made), code=ENDED_AT + RUN)
        assert cut.returncode == -signal.SIGKILL, cut.stdout + cut.stderr
        suite.environment, suite.options = {}, ()
        argv = suite.argv("upgrade", "--resume", "--json")
        told = ended(subprocess.run(argv, capture_output=True, text=True, env=suite.env(), cwd=tmp_path, timeout=300))
        assert (told["rollout"]["state"], told["rollout"]["batches"]) == ("done", [[name] for name in NAMES])
        assert runs(suite) == {name: (NEXT, [NEXT]) for name in NAMES}
        suite.options = ("--engine", f"dask://{dask.address}")
        back = suite.document("rollback", ",".join(NAMES), "--gate", "none", "--batch", "100%")
        assert [back[name]["rollout"]["state"] for name in NAMES] == ["changed", "changed"]
        assert runs(suite) == {name: (OWN, [OWN]) for name in NAMES}
    assert "Traceback" not in dask.said


def runs(suite: Suite) -> Dict[str, Any]:
    """Each host's current version and its daemon's, by the suite's own question on Dask's workers."""
    found = versions_in(ended(suite.run("versions", ",".join(NAMES), "--json")))
    return {name: (here["current"], here["daemon"]) for name, here in found.items()}
