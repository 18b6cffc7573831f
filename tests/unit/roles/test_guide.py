"""The guide's example role is one: it loads, and does what the guide says of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleet.checks import Outcome
from fleet.resources import File, Template
from fleet.roles.loader import BUILT_IN, Role, load_role
from fleet.variables import Variables
from tests.unit.roles.hosts import facts

GUIDE = BUILT_IN.parent / "docs" / "guides" / "roles.md"


@pytest.fixture
def role(tmp_path: Path) -> Role:
    text = GUIDE.read_text()
    (defaults,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    functions, _, checks, _ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    folder = tmp_path / "motd"
    folder.mkdir()
    for name, content in (("role.py", functions), ("checks.py", checks), ("defaults.yml", defaults)):
        (folder / name).write_text(content)
    return load_role("motd", folder)


def given(role: Role, **changes: object) -> Variables:
    return Variables({**{name: variable.default for name, variable in role.variables.items()}, **changes})


def test_its_resources(role: Role) -> None:
    assert role.resources(facts(), given(role)) == [
        Template("/etc/motd", "motd.j2", {"text": "Welcome", "system": "CentOS Stream 9"})
    ]
    assert role.resources(facts(), given(role, motd_audience="nobody")) == [File("/etc/motd", state="absent")]
    assert role.refusals(facts(), given(role)) == []
    assert len(role.refusals(facts(), given(role, motd_text="a\nb"))) == 1


def test_its_checks(role: Role) -> None:
    (probe,) = role.probes(facts(), given(role))
    for text, passed in (("Welcome\n", True), ("", False)):
        (check,) = role.judge(facts(), given(role), {probe.name: Outcome(0, text, "")})
        assert check.passed == passed
