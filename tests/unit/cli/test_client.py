"""The small client: JSON without json, frames in pieces, what it says where no daemon is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiff.cli import main, sizes, table
from skiff.cli.options import UsageError
from skiff.client import documents, frames, http
from skiff.engine import ages

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_documents_agree_with_json(value: object) -> None:
    assert json.loads(documents.dump(value)) == value
    assert documents.load(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a" 1}'])
def test_what_is_not_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the class is the contract, the words are Python's
        documents.load(text)


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=40)), max_size=8), st.integers(1, 9))
def test_frames_come_out_whatever_the_pieces(wanted: list[tuple[int, bytes]], step: int) -> None:
    raw = b"".join(bytes((stream, 0, 0, 0)) + len(text).to_bytes(4, "big") + text for stream, text in wanted)
    found: dict[int, bytes] = {1: b"", 2: b""}
    for stream, text in frames.split(raw[start : start + step] for start in range(0, len(raw), step)):
        found[stream] += text
    assert found == {number: b"".join(text for stream, text in wanted if stream == number) for number in (1, 2)}


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [("0", 0), ("512", 512), ("6m", 6 << 20), ("1.5g", 3 << 29), ("64KB", 64 << 10), ("64MiB", 64 << 20), ("7b", 7), ("-1", -1)],
)
def test_sizes(text: str, bytes_: int) -> None:
    assert sizes.size(text, "--memory") == bytes_


@pytest.mark.parametrize("text", ["", "m", "-5m", "lots", "1x", "7bb", "ib", "nan", "infg"])
def test_wrong_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="invalid size"):
        sizes.size(text, "--memory")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (61, "About a minute"),
        (150, "2 minutes"),
        (3600, "About an hour"),
        (7200, "2 hours"),
        (86400 * 2, "2 days"),
        (86400 * 20, "2 weeks"),
        (86400 * 90, "3 months"),
        (86400 * 800, "2 years"),
    ],
)
def test_ages_are_rounded_as_docker_rounds_them(seconds: float, text: str) -> None:
    assert ages.duration(seconds) == text


def test_tables_and_sizes_are_docker_s() -> None:
    assert table.render(("A", "BB"), [("xyz", "1"), ("q", "22")]) == "A     BB\nxyz   1\nq     22"
    assert [table.size(count) for count in (0, 999, 1982319, 42_000_000_000)] == ["0B", "999B", "1.98MB", "42GB"]
    assert table.binary_size(25276502016) == "23.54GiB"


def test_where_no_daemon_answers_the_cure_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host = f"unix://{tmp_path}/none.sock"
    assert main.main(["-H", host, "ps"]) == 1
    error = capsys.readouterr().err
    assert f"Cannot connect to the Skiff daemon at {host}. Is the skiff daemon running?" in error
    assert "systemctl start skiff" in error
    assert main.main(["-H", host, "run", "--network", "none", "x"]) == 125
    assert main.main(["-H", host, "version"]) == 1
    assert "Client: Skiff" in capsys.readouterr().out


def test_only_unix_sockets_are_spoken_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["-H", "tcp://127.0.0.1:2375", "ps"]) == 1
    assert "unix:///path only" in capsys.readouterr().err


@pytest.mark.parametrize("verb", sorted(main.VERBS))
def test_every_verb_has_help_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main([verb, "--help"]) == 0
    text = capsys.readouterr().out
    assert f"Usage:  skiff {verb}" in text
    assert "Examples:" in text


def test_quoting_is_reversible_by_the_server() -> None:
    assert http.query(a=True, b=None, c=False, d="x y&z", e=5) == "?a=1&d=x%20y%26z&e=5"
