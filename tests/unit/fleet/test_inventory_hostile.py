"""Whatever a file holds, reading it gives an inventory or a UsageError that names a place."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import UsageError
from fleet.inventory import views
from fleet.inventory.load import read_inventory
from fleet.inventory.patterns import select

KEYS = [
    "vars:",
    "hosts:",
    "groups:",
    "children:",
    "ansible_host=",
    "ansible_port: ",
    "<<:",
    "*a",
    "&a",
    "- ",
    "!vault",
    "? ",
    "---",
]
NAMES = ["web", "all", "a", "[web]", "[web:vars]", "[a:children]", "web[01:03]", "{{x}}", "{{1}}", "x=1", "1e999"]
SIGNS = ["[", "]", "{", "}", "'", '"', "\\", ":", "=", "#", "\x1b", "\udc80", " ", "\n", "  ", "\t", "\n  ", "\n    "]
PARTS = st.one_of(st.sampled_from(KEYS + NAMES), st.sampled_from(SIGNS), st.text(max_size=3))
TEXTS = st.lists(PARTS, max_size=25).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, ending=st.sampled_from(["", ".yml", ".ini"]), beside=TEXTS)
def test_any_text_is_read_or_refused(text: str, ending: str, beside: str) -> None:
    with tempfile.TemporaryDirectory() as directory, contextlib.suppress(UsageError):
        path = Path(directory) / f"hosts{ending}"
        path.write_bytes(text.encode(errors="surrogatepass"))
        (Path(directory) / "group_vars").mkdir()
        (Path(directory) / "group_vars" / "all.yml").write_bytes(beside.encode(errors="surrogatepass"))
        inventory = read_inventory([path])
        for build, lines in (
            (views.listing, views.list_lines),
            (views.tree, views.graph_lines),
            (views.variables, views.variable_lines),
        ):
            document = build(inventory, inventory.names)
            assert all(line.isprintable() for line in lines(document))
            json.dumps(document, allow_nan=False)
        select(inventory, "all", {})
