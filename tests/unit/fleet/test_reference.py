"""The pages of docs/reference are what the code says now, and every command in the documentation is one that there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, Tuple

import pytest

from fleet.reference import files, messages
from fleet.reference.tasks import arguments
from fleet.tasks.options import CONNECT
from tasks import ns

COMMAND = re.compile(r"(?:\./inv|\binvoke)((?: +-{0,2}[\w.@:*!/,=%+-]+)+)")
GUIDES = [files.ROOT / "README.md", *files.ROOT.glob("docs/**/*.md"), *files.ROOT.glob("roles/*/README.md")]
PAGES = files.pages(ns, CONNECT)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_as_the_code_says(path: Path) -> None:
    assert path.read_text() == PAGES[path], "`./inv reference` draws it anew"


def test_a_message_is_read_with_its_parts_and_its_cure(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(
        'CURE = "wait"\n'
        'raise HostError(f"{where.address} is at {len(load)}", "", CURE)\n'
        'raise UsageError("{}: is {who}".format(path, who=name), resolution="one" if x else "two")\n'
        "raise UsageError(brief)\n"
    )
    assert set(messages.read(source)) == {
        messages.Message("HostError", "*address* is at *load*", "wait"),
        messages.Message("UsageError", "*path*: is *name*", "one / two"),
    }


def commands() -> Iterator[Tuple[str, str, str]]:
    for path in GUIDES:
        for words in COMMAND.findall(path.read_text()):
            task, *rest = words.split(" -- ")[0].split()
            for option in [word for word in rest if word.startswith("--")] or [""]:
                yield f"{path.relative_to(files.ROOT)}: {words.strip()}", task, option.partition("=")[0]


def test_every_command_of_the_documentation_is_there() -> None:
    names = [*ns.task_names, "test"]
    options = {
        name: {f"--{str(one.name).replace('_', '-').strip('-')}" for one in arguments(ns[name])} | {"--help"} for name in names
    }
    wrong = [
        where
        for where, task, option in commands()
        if re.fullmatch(r"[a-z][a-z.]*", task) and (task not in options or (option and option not in options[task]))
    ]
    assert wrong == []
