"""SELinux's three places: what cannot be set is told, never passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet.agent import process
from fleet.agent.errors import AgentError
from fleet.agent.kinds import selinux

INFO = 'index=0\nkernel="/boot/vmlinuz"\nargs="ro quiet{}"\n'


class Nine:
    """A host of release 9."""

    facts = {"os": {"version_id": "9"}}
    reboot = ""

    def needs_reboot(self, reason: str) -> None:
        self.reboot = reason


@pytest.fixture
def enforcing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel that enforces, and its file."""
    for name, text in (("ENFORCE", "1"), ("FILE", "SELINUX=enforcing\nSELINUXTYPE=targeted\n")):
        (tmp_path / name).write_text(text)
        monkeypatch.setattr(selinux, name, str(tmp_path / name))
    return tmp_path


def answer(monkeypatch: pytest.MonkeyPatch, said: str, status: int = 0) -> None:
    monkeypatch.setattr(process, "run", lambda argv, *_: process.Finished(argv, status, said, ""))


def test_off_from_release_9_on_takes_the_kernels_arguments(enforcing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host: Any = Nine()
    answer(monkeypatch, INFO.format("") + INFO.format(" selinux=0"))
    change = selinux.check({"mode": "disabled"}, host)
    assert change is not None
    assert change.summary == "SELinux disabled: now, in its file, in the kernel's arguments"
    assert host.reboot == "SELinux stays on until this host is started anew"


@pytest.mark.parametrize(("said", "status"), [("", process.MISSING), ("", 1), ("index=0\n", 0)])
def test_off_is_no_success_where_the_arguments_cannot_be_told(
    enforcing: Path, monkeypatch: pytest.MonkeyPatch, said: str, status: int
) -> None:
    host: Any = Nine()
    answer(monkeypatch, said, status)
    with pytest.raises(AgentError, match="the kernel's arguments cannot be told"):
        selinux.check({"mode": "disabled"}, host)
