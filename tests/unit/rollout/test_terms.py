"""What options mean: batches, budgets, gates, the bundle; and what is refused before any host is met."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet import bundle
from fleet.errors import FleetError, UsageError
from fleet.rollout import batches, gate, journal, offer, task
from fleet.rollout.gate import Stopped
from fleet.share import Share


def split(text: str, total: int) -> List[int]:
    sizes = batches.sizes(text)
    found: List[int] = []
    while sum(found) < total:
        found.append(min(batches.size(sizes, len(found) + 1, total), total - sum(found)))
    return found


@pytest.mark.parametrize(
    ("text", "total", "found"),
    [
        ("1,10%,50%", 30, [1, 3, 15, 11]),
        ("1,10%,50%", 1, [1]),
        ("1,10%,50%", 2, [1, 1]),
        ("10%", 4, [1, 1, 1, 1]),  # a part of a host is one
        (" 2 , 100% ", 5, [2, 3]),
        ("3", 10, [3, 3, 3, 1]),
    ],
)
def test_batches(text: str, total: int, found: List[int]) -> None:
    assert split(text, total) == found


@pytest.mark.parametrize("text", ["", "0", "1,,2", "101%", "-1", "1.5", "a", "10%%", "0%", "1,0"])
def test_what_is_no_batch(text: str) -> None:
    with pytest.raises(UsageError, match="--batch: should be a number of hosts from 1 on, or percent"):
        batches.sizes(text)


@pytest.mark.parametrize(("text", "total", "most"), [("0", 30, 0), ("3", 30, 3), ("10%", 30, 3), ("9%", 30, 2), ("0%", 30, 0)])
def test_a_budget_is_never_more_than_it_says(text: str, total: int, most: int) -> None:
    assert Share.parse("--max-failures", text, 0).at_most(total) == most


@pytest.mark.parametrize(
    ("given", "found"), [([], ["verify"]), (["none"], []), (["verify", "true"], ["verify", "true"]), (["exit 0"], ["exit 0"])]
)
def test_gates(given: List[str], found: List[str]) -> None:
    assert gate.gates(given) == found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["verfiy"], "is none of verify, pause, none, and no program"),
        ([""], "is none of verify"),
        (["none", "verify"], "stands alone"),
        (["pause"], "there is no terminal to ask on"),
    ],
)
def test_gates_that_cannot_be_asked(given: List[str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(UsageError, match=words):
        gate.gates(given)


@pytest.mark.parametrize(("typed", "why"), [("y\n", None), ("what\nYes\n", None), ("b\n", "it was asked to be put back")])
def test_a_person_s_word(typed: str, why: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert gate.pause(["h1"]) == why


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_a_person_s_no_stops_it(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    with pytest.raises(Stopped):
        gate.pause(["h1"])


def test_a_command_s_answer_is_its_status(capfd: pytest.CaptureFixture[str]) -> None:
    assert gate.command('echo "$SKIFF_HOSTS for $SKIFF_TASK"', ["a", "b"], {"SKIFF_TASK": "upgrade"}, "/") is None
    assert capfd.readouterr() == ("", "a b for upgrade\n")  # standard output may be a document's
    assert gate.command("exit 3", [], {}, "/") == "the gate 'exit 3' ended with 3"
    assert gate.command("kill -9 $$", [], {}, "/") == "the gate 'kill -9 $$' was ended by signal 9"
    assert gate.command('test "$PWD" = /tmp', [], {}, "/tmp") is None
    assert gate.command("true", [], {}, "/gone") == "the gate 'true' cannot be run in /gone: No such file or directory"


def made(path: Path, text: bytes) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return path


def test_to_is_a_version_or_a_file(tmp_path: Path) -> None:
    data = bundle.build(bundle.ROOT, "7.0.0")
    path = tmp_path / "mine.tar.gz"
    path.write_bytes(data)
    found = offer.find(str(path))
    assert (found.version, found.succession) == ("7.0.0", {"follows": "0.1.0", "shims": [1, 1]})
    (tmp_path / "runtime" / "skiff").mkdir(parents=True)
    (tmp_path / "runtime" / "skiff" / "__init__.py").write_text('VERSION = "0.1.0"\n')
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "skiff-7.0.0-noarch.tar.gz").write_bytes(data)
    assert offer.find("7.0.0", tmp_path).sha256 == found.sha256
    with pytest.raises(UsageError) as refused:
        offer.find("7.0.1", tmp_path)
    assert "in dist/ there is 7.0.0" in refused.value.resolution


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"name": "other", "version": "1"}', "it is of other 1"),
        (b'{"name": "skiff", "version": "tip"}', "it is of skiff tip"),
        (b'{"name": "skiff"}', "'version'"),
        (b"[]", "is no object"),
        (b"{", "is no bundle"),
    ],
)
def test_what_is_no_bundle(tmp_path: Path, text: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        offer.read(made(tmp_path / "b.tar.gz", text))


@pytest.mark.parametrize("data", [b"", b"no gzip", b"\x1f\x8b\x08\0"])
def test_a_file_that_is_no_archive(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "b").write_bytes(data)
    with pytest.raises(UsageError, match="is no bundle"):
        offer.read(tmp_path / "b")


@pytest.mark.parametrize("version", ["tip", "1..2", "../1", "1 2"])
def test_a_bundle_has_a_version_that_sorts(version: str) -> None:
    with pytest.raises(FleetError, match="is no version"):
        bundle.build(bundle.ROOT, version)


def test_a_rollout_goes_on_with_the_bundle_it_began_with(tmp_path: Path) -> None:
    path = made(tmp_path / "b", b'{"name": "skiff", "version": "1.0"}')
    kept = {"path": str(path), "sha256": offer.read(path).sha256}
    assert task.same_bundle(kept).version == "1.0"
    made(path, b'{"name": "skiff", "version": "1.0" }')
    with pytest.raises(UsageError, match="is another bundle than the rollout began with"):
        task.same_bundle(kept)


def begun(name: str, *more: Dict[str, Any]) -> None:
    with journal.closing(journal.create(name)) as book:
        book.write("begin", verb="upgrade", to="1", hosts=["a"], terms={}, options={})
        for line in more:
            book.write(**line)


def test_half_a_line_of_a_killed_process_counts_for_nothing() -> None:
    begun("r")
    path = journal.find("r")
    with path.open("a") as stream:
        stream.write('{"kind": "looked", "hos')
    with journal.closing(journal.resume(path)) as book:
        assert [line["kind"] for line in book.lines] == ["begin"]
        book.write("looked", hosts={})
    with journal.closing(journal.resume(path)) as book:
        assert [line["kind"] for line in book.lines] == ["begin", "looked"]


def test_a_rollout_has_one_process_at_a_time() -> None:
    with journal.closing(journal.create("r")), pytest.raises(UsageError, match="goes on in another process"):
        journal.resume(journal.find("r"))
    assert journal.find("r").stat().st_mode & 0o777 == 0o600
    assert journal.directory().stat().st_mode & 0o777 == 0o700


def test_the_one_to_resume() -> None:
    assert task.last_open("upgrade") is None
    begun("2026-1")
    begun("2026-2", {"kind": "end", "state": "stopped", "why": "h failed"})
    assert task.last_open("upgrade") == journal.find("2026-2")
    assert task.last_open("rollback") is None
    begun("2026-3", {"kind": "end", "state": "done", "why": ""})
    assert task.last_open("upgrade") is None  # what came before the last one is overtaken
    for word, told in (("2026", "3 rollouts begin with"), ("x", "there is no rollout 'x'")):
        with pytest.raises(UsageError, match=told):
            journal.find(word)
    with pytest.raises(UsageError, match="upgrade 2026-3 has ended: done"):
        task.go_on("2026-3", "upgrade", {})


@pytest.mark.parametrize("text", ["no json\n", "{}\n", "[]\n", "\n"])
def test_a_damaged_journal_is_told(text: str) -> None:
    begun("r")
    journal.find("r").write_text(text)
    with pytest.raises(UsageError, match="is damaged"):
        journal.resume(journal.find("r"))
