"""The guide tells every field of a plan's JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import List

from fleet.events import HostOutcome
from fleet.plan import Change, Plan, Unchecked
from fleet.progress.document import Document

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "guides" / "plans.md").read_text()


def test_every_field_is_told() -> None:
    plan = Plan((Change("a", "r", False, "create", "create a", ""),), (Unchecked("b", "r", "no b", "", ""),))
    said: List[str] = []
    listener = Document(said.append)
    listener.begin("run-1", ["h1"])
    listener.end([HostOutcome("h1", plan=plan)], False)
    document = json.loads(said[0])
    host = document["hosts"]["h1"]
    rows = " ".join(re.findall(r"^\| (`.*?) \|", GUIDE, re.MULTILINE))
    told = set(re.findall(r"`(?:hosts\.\*\.)?(\w+)`", rows))
    assert {*document, *host, *host["plan"]["changes"][0]} == told
    (errors,) = re.findall(r"entry of `errors` has (.*?)\. A diff", GUIDE)
    assert re.findall(r"`(\w+)`", errors) == list(host["plan"]["errors"][0])
