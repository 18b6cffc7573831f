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


def test_what_is_returned_to_refuse_is_a_message_too(tmp_path: Path) -> None:
    source = tmp_path / "source.py"
    source.write_text(
        'def refusals(facts, variables) -> List[str]:\n    """A text."""\n    return [f"the host has {free} GB; make room."]\n'
        'def age(one) -> "Optional[Refusal]":\n    return "{} is old".format(one), "go back"\n'
    )
    assert set(messages.read(source)) == {
        messages.Message(messages.REFUSED, "the host has *free* GB; make room.", ""),
        messages.Message("AgentError", "*one* is old", "go back"),
    }


def test_troubleshooting_has_messages_in_the_words_of_the_code() -> None:
    known = PAGES[files.PLACE / "messages.md"] + "".join(path.read_text() for path in (files.ROOT / "fleet").rglob("*.py"))
    told = re.findall(r"^\*\*`([^`]*)`\*\*", (files.ROOT / "docs" / "guides" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(told) > 10
    assert [text for text in told for part in text.split("…") if len(part.strip()) > 3 and part.strip(" ,;") not in known] == []
