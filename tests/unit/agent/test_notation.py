"""JSON as the agent reads and writes it, on every Python and without the C code: always what the module json makes of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Sequence

import pytest

from tests.unit.agent import interpreters

ROOT = Path(__file__).resolve().parents[3]
TEXTS = (
    *(
        "{}",
        "[]",
        " \n[1, -2, 3.5, 1e400, -0.0, 12345678901234567890]\t",
        '"\\u00e9\\ud83d\\ude00\\ud800"',
        '{"a": {"b": [null, true, false]}}',
    ),
    *(
        '{"a": 1, "a": 2}',
        "NaN",
        "-Infinity",
        '"\u2028"',
        "",
        " ",
        "{",
        "[1",
        "[1,]",
        "{'a': 1}",
        "nul",
        "1 2",
        "{}{}",
        "\ufeff{}",
        '"\n"',
        "\u00a01",
    ),
)
VALUES: Sequence[object] = (
    {"\u00e9": 1, "a": [1.5, None, True, 'x"\\\n\u2028']},
    [],
    "",
    0,
    -1.5,
    {"z": {"y": 1, "x": 2}},
    "\ud800",
)
SCRIPT = """
import sys
sys.path.insert(0, {root!r})
if {without}:
    sys.modules["_json"] = None
from fleet.agent import notation
lean = "json" not in sys.modules and "re" not in sys.modules
import json
for text in {texts!r}:
    found = []
    for load in (notation.loads, json.loads):
        try:
            found.append(repr(load(text)))
        except ValueError as error:
            found.append(str(error))
    assert found[0] == found[1], (text, found)
for value in {values!r}:
    assert notation.dumps(value) == json.dumps(value, ensure_ascii=False), value
    assert notation.kept(value) == json.dumps(value, sort_keys=True).encode("ascii"), value
assert notation.loads('{{"a": 1, "a": 2}}', list) == [("a", 1), ("a", 2)]
for bad in (lambda: notation.dumps(object()), lambda: notation.kept([b""])):
    try:
        bad()
    except TypeError:
        continue
    raise AssertionError("it has no form in JSON")
print(lean)
"""


@pytest.mark.parametrize("without", [False, True], ids=["C code", "module json"])
@pytest.mark.parametrize("name", interpreters.NAMES)
def test_it_is_as_the_module_json_has_it(name: str, without: bool) -> None:
    python = interpreters.found().get(name)
    if python is None:
        pytest.skip(f"{name} is not on this machine")
    script = SCRIPT.format(root=str(ROOT), without=without, texts=TEXTS, values=VALUES)
    done = subprocess.run([python, "-ISB", "-c", ascii_only(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(not without)


def ascii_only(script: str) -> str:
    """The same program, whatever the locale: what is not ASCII stands in texts alone."""
    return "".join(each if each < "\x80" else json.dumps(each)[1:-1] for each in script)
