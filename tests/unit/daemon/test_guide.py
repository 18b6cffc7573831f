"""The guide of daemon.json tells every option that skiffd takes, and no other, as the table of options has it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from skiff.daemon import config, options
from skiff.engine.settings import Settings

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "daemon-json.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| (yes|no) \| ([^|]+) \|$", re.MULTILINE)


def default(option: options.Option) -> Any:
    value = getattr(Settings(hosts=(config.DEFAULT_HOST,)), option.attribute)
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("option", options.OPTIONS, ids=lambda option: str(option.key))
def test_an_option_is_told_as_it_is(option: options.Option) -> None:
    rows = {found[1]: [cell.strip() for cell in found.groups()[1:]] for found in ROW.finditer(GUIDE.read_text(encoding="utf-8"))}
    kind, value, reloadable, _ = rows[option.key]
    assert (kind, json.loads(value.strip("`")), reloadable == "yes") == (option.kind, default(option), option.reloadable)


def test_no_other_option_is_told() -> None:
    told = [found[1] for found in ROW.finditer(GUIDE.read_text(encoding="utf-8"))]
    assert told == [option.key for option in options.OPTIONS]


def test_the_example_is_valid() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert config.parse_document("daemon.json", example.encode())
