"""Whatever befalls a host in the middle of a run: the cause is named, no file is half-written, and the next run converges."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from fleet.lab import HostSpec, Lab
from tests.lab import faults, loaded
from tests.lab.faults import FAULTS, NAME, Fault
from tests.lab.suite import Suite, changed

LEFTOVERS = (
    "find / -xdev \\( -name '.skiff-tmp.*' -o -path '/var/lib/skiff-agent/spool/*' -o -path '/run/skiff-agent.*.*' \\) -print"
)


@pytest.fixture(scope="module")
def _faulty(lab: Lab) -> Iterator[None]:
    """A host for all faults; the library that tells it a wrong time lies ready."""
    lab.boot([HostSpec(NAME, 41, "el9")])
    library = next(Path("/usr/lib").rglob("libfaketime.so.1"))
    text = base64.b64encode(library.read_bytes()).decode()
    lab.exec(NAME, ["sh", "-c", f"base64 -d > {faults.FAKETIME}"], text)
    yield
    lab.remove(NAME)


@pytest.fixture
def suite(lab: Lab, tmp_path: Path, _faulty: None) -> Iterator[Suite]:
    loaded.reset(lab, NAME)
    yield Suite(lab, tmp_path, ("--role-path", str(loaded.write(tmp_path)), "--roles", "load"))
    loaded.reset(lab, NAME)


def struck(suite: Suite, fault: Fault) -> subprocess.CompletedProcess[str]:
    """A run in the middle of which the fault strikes."""
    if fault.at == faults.BEFORE:
        fault.strike(suite.lab)
        return suite.run("provision", NAME, *fault.options)
    argv = suite.argv("provision", "--hosts", NAME, "--inventory", str(suite.lab.inventory), *fault.options)
    process = subprocess.Popen(
        argv, env=suite.env(), cwd=suite.directory, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        assert loaded.reached(suite.directory, *fault.at), "the run was over before the fault could strike"
        fault.strike(suite.lab)
        said, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return subprocess.CompletedProcess(argv, process.returncode, said, "")


CASES = [
    pytest.param(fault, id=fault.name.replace(" ", "-"), marks=() if fault.name in faults.OFTEN else pytest.mark.long)
    for fault in FAULTS
]


@pytest.mark.parametrize("fault", CASES)
def test_a_fault_is_named_and_the_next_run_converges(suite: Suite, lab: Lab, fault: Fault) -> None:
    try:
        done = struck(suite, fault)
        loaded.assert_whole(lab, NAME)
    finally:
        fault.heal(lab)
    assert re.search(fault.told, done.stdout), done.stdout
    assert "Traceback" not in done.stdout
    assert done.returncode in fault.statuses, done.stdout
    again = suite.document("provision", NAME)
    assert (again["status"], again[NAME]["faults"]) == (0, []), again[NAME]["faults"]
    last = suite.document("provision", NAME)
    assert (last["status"], changed(last[NAME])) == (0, [])
    assert lab.exec(NAME, ["sh", "-c", LEFTOVERS]).stdout == ""
    assert lab.exec(NAME, ["cat", "/var/lib/load/count"]).stdout.count("again") in (1, 2)
