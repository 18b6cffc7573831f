"""Any sequence of desired states: a second run changes nothing, and the plan is what the run then does."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.resources import Directory, File, JsonFile, Link
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import content, wire

NAMES = ("a", "b", "d/a", "d/e/a")
MODES = ("0644", "0600", "0755")


def file(root: Path, name: str, pick: Any) -> Dict[str, Any]:
    state = pick(("present", "absent"))
    return wire(File(str(root / name), content(pick(("", "1\n", "2\n"))), mode=pick(MODES), state=state))


def json_file(root: Path, name: str, pick: Any) -> Dict[str, Any]:
    return wire(JsonFile(str(root / f"{name}.json"), {pick("xyz"): pick((1, "one", [1], None))}, remove=(pick("uvw"),)))


def link(root: Path, name: str, pick: Any) -> Dict[str, Any]:
    return wire(Link(str(root / f"{name}.link"), pick(("a", "d", "nowhere")), state=pick(("present", "absent"))))


@st.composite
def desired_states(draw: st.DrawFn) -> List[Any]:
    """Makers of one to five resources, each of another place, directories first."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    makers = [draw(st.sampled_from((file, json_file, link))) for _ in names]
    seed = draw(st.lists(st.integers(0, 1000), min_size=4 * len(names), max_size=4 * len(names)))
    return [names, makers, seed, draw(st.sampled_from(MODES))]


def build(root: Path, state: List[Any]) -> List[Dict[str, Any]]:
    names, makers, seed, mode = state
    numbers = iter(seed)
    resources = [wire(Directory(str(root / name), mode=mode.replace("6", "7"))) for name in ("d", "d/e")]
    return resources + [
        maker(root, name, lambda options: options[next(numbers) % len(options)]) for name, maker in zip(names, makers)
    ]


@settings(max_examples=10, deadline=None)
@given(st.lists(desired_states(), min_size=1, max_size=3))
def test_converges(states: List[List[Any]]) -> None:
    scratch = Path(tempfile.mkdtemp())
    try:
        root = scratch / "root"
        root.mkdir()
        session = Session(scratch)
        for state in states:
            resources = build(root, state)
            plan, results, done = session.apply(resources)
            assert plan["errors"] == []
            assert done["failed"] == 0
            assert [change["id"] for change in plan["changes"]] == [one["id"] for one in results if one["status"] == "changed"]
            again, _, done = session.apply(resources)
            assert again["changes"] == []
            assert done["changed"] == 0
    finally:
        shutil.rmtree(scratch)
