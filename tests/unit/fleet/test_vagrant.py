from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

from fleet.inventory.settings import is_address

ROOT = Path(__file__).resolve().parents[3]


def test_every_machine_has_what_the_vagrantfile_reads() -> None:
    lab = yaml.safe_load((ROOT / "inventory" / "lab.yml").read_text())
    assert {"memory", "cpus", "machines"} == set(lab)
    assert all({"name", "box", "address"} <= set(machine) for machine in lab["machines"])
    assert all(is_address(machine["address"]) for machine in lab["machines"])
    assert len({machine["name"] for machine in lab["machines"]}) == len(lab["machines"])


def test_the_vagrantfile_is_thin_and_parses_where_there_is_a_ruby() -> None:
    path = ROOT / "Vagrantfile"
    assert len(path.read_text().splitlines()) < 50
    ruby = shutil.which("ruby")
    if ruby:
        assert subprocess.run([ruby, "-c", str(path)], capture_output=True).returncode == 0
