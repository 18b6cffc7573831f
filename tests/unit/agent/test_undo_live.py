"""What a kernel and a package database were told is taken back: SELinux's mode, modules, signing keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Sequence

import pytest

from fleet.agent import process, repositories
from fleet.agent.errors import AgentError
from fleet.agent.kinds import module, selinux
from fleet.resources import Module, Repository, Selinux
from tests.unit.agent.runs import Runs

KEY = "gpg-pubkey-{}"


class Machine(Runs):
    """Its kernel's files, boot arguments and keys, and the programs that change them; `calls` are these programs' words."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.calls: List[List[str]] = []
        self.arguments = {"one": ["ro"], "two": ["ro", "quiet"]}
        self.keys = [KEY.format("theirs")]
        self.stuck = False
        for name, text in (("enforce", "1"), ("config", "# ours\nSELINUX=enforcing\n")):
            (folder / name).write_text(text)
        for name in ("modules", "modules-load.d", "yum.repos.d"):
            (folder / name).mkdir()

    def run(self, argv: Sequence[str], *_: object, **__: object) -> process.Finished:
        self.calls.append(list(argv))
        said: Any = getattr(self, f"_{argv[0]}")(list(argv[1:]))
        return said if isinstance(said, process.Finished) else process.Finished(argv, 0, said or "", "")

    def _setenforce(self, words: List[str]) -> None:
        (self.folder / "enforce").write_text(words[0])

    def _grubby(self, words: List[str]) -> str:
        for one in self.arguments.values():
            if "--remove-args" in words and words[-1] in one:
                one.remove(words[-1])
            elif "--args" in words and words[-1] not in one:
                one.append(words[-1])
        return "".join(f'index=0\nkernel="/boot/vmlinuz"\nargs="{" ".join(one)}"\n' for one in self.arguments.values())

    def _modprobe(self, words: List[str]) -> Any:
        if words[0] == "-r" and self.stuck:
            return process.Finished(["modprobe", *words], 1, "", "modprobe: FATAL: Module x is in use.")
        if words[0] == "-r":
            (self.folder / "modules" / words[1] / "refcnt").unlink()
            (self.folder / "modules" / words[1]).rmdir()
        elif not words[0].startswith("--"):
            (self.folder / "modules" / words[0]).mkdir()
            (self.folder / "modules" / words[0] / "refcnt").write_text("0\n")
        return None

    def _rpm(self, words: List[str]) -> str:
        if words[0] == "--import":
            self.keys = sorted({*self.keys, KEY.format(words[1].rpartition("/")[2])})
        elif words[0] == "-e":
            self.keys = [key for key in self.keys if key not in words]
        return "\n".join(self.keys)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(process, "run", made.run)
    monkeypatch.setattr(selinux, "ENFORCE", str(tmp_path / "enforce"))
    monkeypatch.setattr(selinux, "FILE", str(tmp_path / "config"))
    monkeypatch.setattr(module, "LOADED", str(tmp_path / "modules"))
    monkeypatch.setattr(module, "FOLDER", str(tmp_path / "modules-load.d"))
    monkeypatch.setattr(repositories, "FOLDER", str(tmp_path / "yum.repos.d"))
    return made


def test_selinux_is_as_it_was_in_all_three_places(machine: Machine) -> None:
    machine.apply(Selinux("disabled"))
    assert (machine.folder / "enforce").read_text() == "0"
    assert machine.arguments == {"one": ["ro", "selinux=0"], "two": ["ro", "quiet", "selinux=0"]}
    machine.apply(Selinux("permissive"))
    assert machine.deprovision() == {}
    assert (machine.folder / "enforce").read_text() == "1"
    assert (machine.folder / "config").read_text() == "# ours\nSELINUX=enforcing\n"
    assert machine.arguments == {"one": ["ro"], "two": ["ro", "quiet"]}
    assert (machine.reboot, machine.settled) == ("", True)


def test_a_kernel_that_was_started_without_selinux_needs_a_boot(machine: Machine) -> None:
    (machine.folder / "enforce").write_text("0")  # permissive before: only file and arguments change
    machine.apply(Selinux("disabled"))
    (machine.folder / "enforce").unlink()
    assert machine.deprovision(planning=True) == {}
    assert machine.reboot == "SELinux is off until this host is started anew"
    assert machine.deprovision() == {}
    assert machine.reboot == "SELinux is off until this host is started anew"
    assert machine.arguments == {"one": ["ro"], "two": ["ro", "quiet"]}


def test_arguments_that_were_there_come_back(machine: Machine) -> None:
    machine.arguments["one"].append("selinux=0")
    machine.arguments["two"].append("selinux=0")
    (machine.folder / "grubenv").write_text("kernelopts=ro selinux=0\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selinux, "_boot_files", lambda: [str(machine.folder / "grubenv")])
        machine.apply(Selinux("permissive"))
    assert machine.arguments["one"] == ["ro"]
    machine.deprovision()
    assert machine.arguments == {"one": ["ro", "selinux=0"], "two": ["ro", "quiet", "selinux=0"]}


def test_arguments_that_somebody_has_taken_out_since_are_left(machine: Machine) -> None:
    machine.apply(Selinux("disabled"))
    for one in machine.arguments.values():
        one.remove("selinux=0")
    assert machine.deprovision() == {}
    assert not [call for call in machine.calls if "--remove-args" in call]


def test_arguments_cannot_be_taken_back_without_grubby(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.apply(Selinux("disabled"))
    monkeypatch.setattr(Machine, "_grubby", lambda _, words: process.Finished(["grubby", *words], process.MISSING, "", ""))
    with pytest.raises(AgentError) as caught:
        machine.deprovision()
    assert (caught.value.details, caught.value.resolution) == ("grubby is not installed", selinux.GRUBBY_CURE)
    assert machine.arguments["one"] == ["ro", "selinux=0"]


def test_a_module_goes_where_nothing_uses_it(machine: Machine) -> None:
    machine.apply(Module("skiff_test"))
    assert (machine.folder / "modules-load.d" / "skiff-skiff_test.conf").read_text() == "skiff_test\n"
    assert machine.deprovision() == {}
    assert machine.calls[-1] == ["modprobe", "-r", "skiff_test"]
    assert list((machine.folder / "modules").iterdir()) == list((machine.folder / "modules-load.d").iterdir()) == []
    assert machine.settled


@pytest.mark.parametrize(("users", "stuck", "why"), [("2", False, "it is in use"), ("0", True, "it cannot be unloaded (")])
def test_a_module_in_use_is_told_and_done_with(machine: Machine, users: str, stuck: bool, why: str) -> None:
    machine.apply(Module("skiff_test"))
    (machine.folder / "modules" / "skiff_test" / "refcnt").write_text(users)
    machine.stuck = stuck
    (told,) = machine.deprovision().values()
    assert told.startswith(why)
    assert told.endswith("it is gone after the next boot")
    assert machine.settled


def test_a_module_that_ran_before_is_not_unloaded(machine: Machine) -> None:
    machine.run(["modprobe", "skiff_test"])
    machine.apply(Module("skiff_test"))
    machine.deprovision()
    assert (machine.folder / "modules" / "skiff_test").is_dir()


def repository(description: str, *keys: str) -> Repository:
    return Repository("own", description, "http://h", " ".join(f"http://h/{key}" for key in keys), enabled=False)


def test_the_keys_that_came_with_a_repository_are_forgotten_and_no_others(machine: Machine) -> None:
    machine.apply(repository("one", "ours", "theirs"))
    machine.run(["rpm", "--import", "http://h/later"])
    machine.apply(repository("two", "ours", "theirs"))  # which imports them again
    assert machine.deprovision() == {}
    assert machine.keys == [KEY.format("later"), KEY.format("theirs")]
    assert list((machine.folder / "yum.repos.d").iterdir()) == []
    assert machine.settled


def test_a_key_of_an_import_that_was_cut_is_forgotten(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = machine.run

    def cut(argv: Sequence[str], *more: object, **others: object) -> process.Finished:
        done = run(argv, *more, **others)
        if "--import" in argv:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(process, "run", cut)
        with pytest.raises(KeyboardInterrupt):
            machine.apply(repository("one", "ours"))
    machine.apply(repository("one", "ours"))
    machine.run(["rpm", "--import", "http://h/later"])
    assert machine.deprovision() == {}
    assert machine.keys == [KEY.format("later"), KEY.format("theirs")]
