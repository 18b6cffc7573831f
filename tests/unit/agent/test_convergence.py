"""Any sequence of desired states, hand edits and deaths: nothing is ever half-written, and two runs later nothing is left to do."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Dict, List

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fleet.resources import Archive, Command, Directory, File, JsonFile, Link, Package, Unit
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import FakeHost
from tests.unit.agent.tarballs import tarball
from tests.unit.agent.wanted import content, handler, wire

WORDS = {"old": "old\n" * 3000, "new": "new\n" * 3000, "": ""}
TREES = {word: tarball({f"m{number}": word.encode() * 50 for number in range(count)}) for word, count in (("old", 9), ("new", 5))}
MODES = st.sampled_from(("0644", "0600", "0755"))
STATES = st.sampled_from(("present", "absent"))
UNIT = "x.service"


@st.composite
def declarations(draw: st.DrawFn) -> Dict[str, Any]:
    """What is wanted of each thing; a thing that is left out is left as it is."""
    wanted: Dict[str, Any] = {
        "file": draw(st.tuples(st.sampled_from(sorted(WORDS)), MODES, STATES)),
        "json": draw(st.dictionaries(st.sampled_from("xyz"), st.sampled_from((1, "one", [1], None)), max_size=3)),
        "link": draw(st.tuples(st.sampled_from(("file", "nowhere")), STATES)),
        "tree": draw(st.sampled_from(sorted(TREES))),
        "package": draw(st.tuples(st.sampled_from((("one",), ("one", "two"), ("two",))), STATES)),
        "unit": draw(st.tuples(st.sampled_from((True, False, None)), st.sampled_from((True, False, None)))),
    }
    return {name: value for name, value in wanted.items() if draw(st.booleans())}


def resources(root: Path, wanted: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The declaration on the wire."""
    settings_file, found = JsonFile(str(root / "json"), wanted.get("json", {})), [wire(Directory(str(root / "d")))]
    if "file" in wanted:
        word, mode, state = wanted["file"]
        found.append(wire(File(str(root / "d" / "file"), content(WORDS[word]), mode=mode, state=state)))
    if "json" in wanted:
        found += [wire(settings_file), handler(Command("h", ("sh", "-c", f"cp {root}/json {root}/seen")), [settings_file.id])]
    if "link" in wanted:
        found.append(wire(Link(str(root / "link"), *wanted["link"])))
    if "tree" in wanted:
        found.append(wire(Archive(str(root / "tree"), TREES[wanted["tree"]])))
    if "package" in wanted:
        found.append(wire(Package(*wanted["package"])))
    if "unit" in wanted:
        enabled, active = wanted["unit"]
        found.append(wire(Unit(UNIT, enabled=enabled, active=active, restart_on=(settings_file.id,))))
    return found


class Convergence(RuleBasedStateMachine):
    """One host from its first run on."""

    @initialize()
    def begin(self) -> None:
        self.scratch = Path(tempfile.mkdtemp())
        self.root = self.scratch / "root"
        self.root.mkdir()
        self.host = FakeHost(self.scratch)
        self.host.update(available={"one": [], "two": []})
        self.host.unit(UNIT)
        self.session = Session(self.scratch, path=self.host.path)
        self.wanted: Dict[str, Any] = {}

    def teardown(self) -> None:
        if hasattr(self, "scratch"):
            shutil.rmtree(self.scratch)

    @rule(wanted=declarations())
    def declare(self, wanted: Dict[str, Any]) -> None:
        self.wanted = wanted

    @rule()
    def run(self) -> None:
        """What the plan says is what the run does; a second one changes nothing, and what a change called for was done."""
        plan, results, done = self.session.apply(resources(self.root, self.wanted))
        assert plan["errors"] == []
        assert done["failed"] == 0
        assert [change["id"] for change in plan["changes"]] == [one["id"] for one in results if one["status"] == "changed"]
        again, _, done = self.session.apply(resources(self.root, self.wanted))
        assert (again["changes"], done["changed"]) == ([], 0)
        if "json" in self.wanted and (self.root / "seen").exists():
            assert (self.root / "seen").read_bytes() == (self.root / "json").read_bytes()

    @rule(at=st.integers(1, 60))
    def die(self, at: int) -> None:
        """The agent is killed right before its nth write, if it gets that far."""
        self.session.trap = at
        self.session.run("apply", resources(self.root, self.wanted))
        self.session.trap = None

    @rule()
    def look(self) -> None:
        """A plan touches nothing."""
        before = self.snapshot()
        self.session.check(resources(self.root, self.wanted))
        assert self.snapshot() == before

    @precondition(lambda self: (self.root / "d" / "file").exists())
    @rule(text=st.sampled_from(("", "by hand\n")))
    def edit(self, text: str) -> None:
        (self.root / "d" / "file").write_text(text)

    @precondition(lambda self: (self.root / "tree").is_dir())
    @rule(name=st.sampled_from(("m0", "m4")))
    def lose(self, name: str) -> None:
        (self.root / "tree" / name).unlink(missing_ok=True)

    @rule(package=st.sampled_from(("one", "two")))
    def install(self, package: str) -> None:
        self.host.update(installed=sorted({*self.host.state["installed"], package}))

    @rule(active=st.sampled_from(("active", "inactive", "failed")), enabled=st.sampled_from(("enabled", "disabled")))
    def turn(self, active: str, enabled: str) -> None:
        self.host.unit(UNIT, active=active, enabled=enabled)

    @invariant()
    def whole(self) -> None:
        """A file that a reader finds is one that somebody wrote to its end."""
        if not hasattr(self, "root"):
            return
        file, tree = self.root / "d" / "file", self.root / "tree"
        if file.exists():
            assert file.read_text() in (*WORDS.values(), "by hand\n")
        if tree.is_dir():
            sizes = {path.stat().st_size for path in tree.iterdir()}
            assert sizes <= {150}
        for name in ("json", "seen"):
            assert not (self.root / name).exists() or (self.root / name).read_text().endswith("}\n")

    def snapshot(self) -> Dict[str, Any]:
        """Every file of the host and of the agent's, with its times."""
        found = [path for top in (self.root, self.session.home) for path in top.rglob("*")]
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode) for path in found}


Convergence.TestCase.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
test_converges = Convergence.TestCase
