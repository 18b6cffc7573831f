"""JSON without the json package: the same values, the same texts, the same errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skiff.spec import jsontext

RUNTIME = str(Path(__file__).resolve().parents[3] / "runtime")

VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1.5, 1e300, "", "ä\n\u2028\U0001f600\x00\"\\", [], {},
    [1, [2, {"a": [None]}]], {"b": 1, "a": {"d": 1, "c": 2}},
    {1: "x", None: 2, False: 3}, float("inf"),
)  # fmt: skip
GOOD = ("1", ' \r\n\t{"a": [1, 2.5, "\\u00e4"]} \n', "NaN", "-Infinity", '"ä"', "[[[[]]]]", '{"a": 1, "a": 2}', "1e5", "-0")
BAD = ("", " ", "{", '{"a"}', "[1,]", "[1] 2", "nul", "'a'", '"\n"', '"\\x"', "01", "\ufeff1", "[1}", "{1: 2}", "\xa01")


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_written_as_json_writes_it(value: Any) -> None:
    assert jsontext.dumps(value) == json.dumps(value)


def test_keys_in_order() -> None:
    value = {"b": {"d": 1, "c": 2}, "a": 0}
    assert jsontext.dumps(value, sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("encoding", ["str", "utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("text", GOOD)
def test_a_text_is_read_as_json_reads_it(text: str, encoding: str) -> None:
    data = text if encoding == "str" else text.encode(encoding)
    assert repr(jsontext.loads(data)) == repr(json.loads(data))


@pytest.mark.parametrize("text", BAD)
def test_an_error_is_jsons(text: str) -> None:
    with pytest.raises(ValueError, match=r".+") as expected:
        json.loads(text)
    with pytest.raises(ValueError, match=r".+") as found:
        jsontext.loads(text)
    assert (str(found.value), type(found.value)) == (str(expected.value), type(expected.value))


def test_what_is_no_text_and_what_is_too_deep() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        jsontext.loads(b'"\xff"')
    with pytest.raises(RecursionError):
        jsontext.loads("[" * 200_000)
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        jsontext.dumps({"a": set()})


@pytest.mark.parametrize("text", ["{", '{"a"', "[1,", '"\\u12', "nul"])
def test_an_error_is_jsons_where_json_is_not_loaded_yet(text: str) -> None:
    code = f"from skiff.spec import jsontext\ntry: jsontext.loads({text!r})\nexcept ValueError as error: print(error)"
    done = subprocess.run(
        [sys.executable, "-ISc", f"import sys; sys.path.append({RUNTIME!r})\n{code}"], capture_output=True, text=True
    )
    with pytest.raises(json.JSONDecodeError) as known:
        json.loads(text)
    assert (done.stdout.strip(), done.stderr) == (str(known.value), "")
