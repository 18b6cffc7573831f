"""Users and groups are given back as they were; what somebody else set since stays, and is told."""

from __future__ import annotations

from pathlib import Path
from typing import List, Sequence

import pytest

from fleet.agent import accounts, process
from fleet.agent.errors import AgentError
from fleet.resources import Group, User
from tests.unit.agent.runs import Runs

USERS = ["root:x:0:0::/root:/bin/sh", "ann:x:7001:7001::/nowhere/ann:/bin/sh"]
GROUPS = ["root:x:0:", "ann:x:7001:", "staff:x:7100:bob", "wheel:x:7200:", "docker:x:7300:"]
COLUMNS = {"-u": 2, "-g": 3, "-d": 5, "-s": 6}


class Machine(Runs):
    """Its two tables, and the programs that change them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.users, self.groups = folder / "passwd", folder / "group"
        self.users.write_text("\n".join(USERS) + "\n")
        self.groups.write_text("\n".join(GROUPS) + "\n")

    def run(self, argv: Sequence[str], *_: object, **__: object) -> process.Finished:
        """useradd, usermod, userdel, groupadd, groupmod, groupdel, gpasswd."""
        program, *options, name = argv
        table = self.users if program.startswith("user") else self.groups
        rows = {line.split(":")[0]: line.split(":") for line in table.read_text().splitlines()}
        if program == "gpasswd":
            members = [one for one in rows[name][3].split(",") if one and one != options[1]]
            rows[name][3] = ",".join([*members, options[1]] if options[0] == "-a" else members)
        elif program.endswith("del"):
            if program == "groupdel" and any(row.split(":")[3] == rows[name][2] for row in self.users.read_text().splitlines()):
                return process.Finished(argv, 8, "", "cannot remove the primary group of a user")
            del rows[name]
        else:
            fresh = [name, "x", "7999", "7999", "", "/home/" + name, "/bin/sh"] if table is self.users else [name, "x", "7998", ""]
            self._set(rows.setdefault(name, fresh), options, table is self.users)
        table.write_text("".join(":".join(row) + "\n" for row in rows.values()))
        if program == "userdel":
            self._forget(name)
        return process.Finished(argv, 0, "", "")

    def _set(self, row: List[str], options: List[str], of_user: bool) -> None:
        for option, value in zip(options, options[1:]):
            if option == "-G":
                for one in value.split(","):
                    self.run(["gpasswd", "-a", row[0], one])
            elif option == "-g" and of_user and not value.isdigit():
                row[3] = next(line.split(":")[2] for line in self.groups.read_text().splitlines() if line.startswith(value + ":"))
            elif option in COLUMNS:
                row[COLUMNS[option] if of_user else 2] = value

    def _forget(self, name: str) -> None:
        for line in self.groups.read_text().splitlines():
            if name in line.split(":")[3].split(","):
                self.run(["gpasswd", "-d", name, line.split(":")[0]])

    def tables(self) -> str:
        return self.users.read_text() + self.groups.read_text()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(accounts, "USERS", str(made.users))
    monkeypatch.setattr(accounts, "GROUPS", str(made.groups))
    monkeypatch.setattr(process, "run", made.run)
    return made


def test_who_was_made_goes_and_who_was_changed_is_as_before(machine: Machine) -> None:
    before = machine.tables()
    machine.apply(
        Group("makers", gid=7400),
        User("maker", uid=7400, group="makers", groups=("docker",)),
        User("ann", uid=7002, shell="/bin/bash", home="/srv/ann", group="wheel", groups=("docker", "staff")),
        Group("staff", gid=7101, members=("root",)),
    )
    assert "maker:x:7400:7400" in machine.tables()
    assert "ann:x:7002:7200::/srv/ann:/bin/bash" in machine.tables()
    assert "staff:x:7101:bob,ann,root" in machine.tables()
    assert machine.deprovision(planning=True) == {}
    assert machine.deprovision() == {}
    assert machine.tables() == before
    assert machine.settled


def test_what_somebody_else_set_since_stays(machine: Machine) -> None:
    machine.apply(User("ann", shell="/bin/bash", groups=("docker",)), Group("staff", gid=7101, members=("root",)))
    machine.run(["usermod", "-s", "/bin/zsh", "-d", "/srv/ann", "ann"])
    machine.run(["gpasswd", "-a", "ann", "wheel"])
    machine.run(["groupmod", "-g", "7102", "staff"])
    assert machine.deprovision() == {
        "user:ann": "its shell was changed since by somebody else",
        "group:staff": "its number was changed since by somebody else",
    }
    assert "ann:x:7001:7001::/srv/ann:/bin/zsh" in machine.tables()
    assert "docker:x:7300:\n" in machine.tables()
    assert "wheel:x:7200:ann\n" in machine.tables()
    assert machine.deprovision(force=True) == {}
    assert "ann:x:7001:7001::/srv/ann:/bin/sh" in machine.tables(), "the home was never Skiff's"
    assert "staff:x:7100:bob\n" in machine.tables()


def test_a_group_that_is_somebody_s_own_stays_even_by_force(machine: Machine) -> None:
    machine.apply(Group("makers", gid=7400))
    machine.run(["useradd", "-u", "7500", "-g", "makers", "eve"])
    for force in (False, True):
        assert machine.deprovision(force=force) == {"group:makers": "somebody is in it: eve"}
    machine.run(["userdel", "eve"])
    assert machine.deprovision() == {}
    assert "makers" not in machine.tables()


def test_a_home_that_was_made_is_told(machine: Machine) -> None:
    machine.apply(User("maker", home=str(machine.folder / "maker")))
    (machine.folder / "maker").mkdir()
    uid = (machine.folder / "maker").stat().st_uid
    machine.run(["usermod", "-u", str(uid), "maker"])
    assert machine.deprovision() == {"user:maker": f"its home {machine.folder}/maker stays"}
    assert "maker" not in machine.tables()
    assert machine.settled


def test_who_was_removed_is_told_and_done_with(machine: Machine) -> None:
    machine.apply(User("ann", state="absent"), Group("docker", state="absent"))
    assert machine.deprovision() == {
        "user:ann": "it was removed; it had number 7001",
        "group:docker": "it was removed; it had number 7300",
    }
    assert machine.settled


def test_a_program_that_fails_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.apply(User("maker"))

    def busy(argv: Sequence[str], *_: object) -> process.Finished:
        return process.Finished(argv, 8, "", "userdel: user maker is currently used by process 7")

    monkeypatch.setattr(process, "run", busy)
    with pytest.raises(AgentError, match="user maker cannot be changed") as caught:
        machine.deprovision()
    assert "process 7" in caught.value.details
    assert not machine.settled
