"""Odd answers of a cgroup's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from skiff.cgroup import files
from skiff.cgroup.v2 import V2
from skiff.linux.libc import failure


def test_processes_of_another_pid_namespace_are_none_of_ours(tmp_path: Path) -> None:
    """The kernel shows them as 0, and kill(0) would be our own process group."""
    (tmp_path / "cgroup.procs").write_text("0\n17\n0\n")
    assert files.pids(str(tmp_path)) == [17]


def test_a_controller_that_cannot_be_enabled_is_missed_only_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cpu controller is refused while there are real-time processes, all are where a parent has processes of its own."""
    (tmp_path / "cgroup.controllers").write_text("cpu pids\n")
    (tmp_path / "cgroup.subtree_control").write_text("")
    monkeypatch.setattr(V2, "_set_devices", lambda *_: None)  # not a cgroup
    tried = []

    def refuse(_directory: str, _name: str, value: str | int) -> None:
        tried.append(value)
        raise failure("write", 22)

    monkeypatch.setattr(files, "write", refuse)
    V2(str(tmp_path), "/c").create({})
    assert tried == ["+cpu", "+pids"]
