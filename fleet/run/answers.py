"""Shows what hosts answered to questions: their facts, and the output of commands run on each of them."""

from __future__ import annotations

import json
import shutil
import sys
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from fleet.checks import Probe
from fleet.events import HostOutcome
from fleet.progress.columns import side_by_side
from fleet.progress.harmless import harmless, on_one_line
from fleet.progress.output import write_error, write_line
from fleet.progress.words import Words, wants_colour

SKIFF = "/usr/local/bin/skiff"


# Docker's own client answers where its engine is the host's, and Skiff's is at rest.
CLIENT = (
    f"client={SKIFF} json=json; "
    "if grep -qs X-Skiff=engine /etc/systemd/system/docker.service.d/skiff.conf && ! systemctl --quiet is-active skiff.service; "
    "then client=/usr/bin/docker json='{{json .}}'; fi; "
)
ASK = CLIENT + 'exec "$client" "$@"'


def question(*words: str, script: str = ASK) -> Probe:
    """A command of the client of the host's engine, or a script with `$client` and the `$json` that is its --format."""
    return Probe(words[0], ("/bin/sh", "-c", script, "sh", *words))


def show_answers(outcomes: Sequence[HostOutcome], name: str, as_json: bool) -> bool:
    """Prints every host's answer; whether all gave one."""
    good = {o.host: harmless(o.answers[name].stdout) for o in outcomes if name in o.answers and o.answers[name].status == 0}
    if as_json:
        print_json(as_document(outcomes, name))
    else:
        for line in side_by_side(good, shutil.get_terminal_size().columns) if good else ():
            write_line(line)
    show_failures(outcomes, name)
    return len(good) == len(outcomes)


def show_failures(outcomes: Sequence[HostOutcome], name: str) -> None:
    """Prints what the client said where it failed, and why hosts gave no answer."""
    for outcome in outcomes:
        answer = outcome.answers.get(name)
        if answer is not None and answer.status != 0:
            said = (answer.stderr or answer.stdout).strip() or f"exit status {answer.status}"
            if answer.status == 127:
                said = f"there is no {SKIFF} on this host\n-> `./inv provision --hosts {outcome.host}` deploys it"
            told = "\n  ".join(harmless(said).splitlines())
            write_error(f"{outcome.host}: {told}")
    show_faults(outcomes)


def as_document(outcomes: Sequence[HostOutcome], name: str) -> Dict[str, Any]:
    """Every host's answer as plain data."""
    answers = {o.host: vars(o.answers[name]) if name in o.answers else None for o in outcomes}
    return {o.host: {"state": o.state, "answer": answers[o.host], "faults": o.as_json()["faults"]} for o in outcomes}


def show_faults(outcomes: Sequence[HostOutcome]) -> None:
    """Prints why hosts gave no answer."""
    words = Words(wants_colour(sys.stderr), diffs=False, plans=False)
    for outcome in outcomes:
        if outcome.faults:
            write_error(f"{outcome.host}: {outcome.state}")
        for fault in outcome.faults:
            for line in words.fault(fault, "  "):
                write_error(line)


def show_facts(outcomes: Sequence[HostOutcome], as_json: bool) -> None:
    """Prints every host's facts."""
    facts = {outcome.host: outcome.facts for outcome in outcomes if outcome.facts is not None}
    if as_json:
        print_json(facts)
    elif facts:
        texts = {host: "\n".join(flat(found)) for host, found in facts.items()}
        for line in side_by_side(texts, shutil.get_terminal_size().columns):
            write_line(line)
    show_faults(outcomes)


def print_json(document: object) -> None:
    """One JSON document on standard output."""
    write_line(json.dumps(document, indent=2, ensure_ascii=False))


def flat(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Nested facts as indented `key: value` lines."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield on_one_line(f"{indent}{key}:")
            yield from flat(item, indent + "  ")
        elif isinstance(item, list) and item and all(isinstance(each, dict) and each for each in item):
            yield on_one_line(f"{indent}{key}:")
            for each in item:
                yield from flat(named(each), indent + "  ")
        else:
            yield on_one_line(f"{indent}{key}: {plain(item)}")


def named(item: Mapping[str, Any]) -> Dict[str, str]:
    """An entry of a list, under the name that tells it from the others."""
    first, *rest = item.items()
    parts: List[str] = [f"{key} {plain(value)}" for key, value in rest]
    return {str(first[1]): ", ".join(parts)}


def plain(item: object) -> str:
    """A fact's value for a person."""
    if item is None:
        return "-"
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, list):
        return ".".join(map(str, item)) if item and all(isinstance(each, int) for each in item) else ", ".join(map(str, item))
    return str(item)
