"""How an inventory holds a secret: `{secret: {age: TEXT}}`, `{secret: {env: NAME}}`, `{secret: {command: [WORD, ...]}}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Dict, Optional

from fleet.secret import SOURCES, Reference

if TYPE_CHECKING:
    from fleet.inventory.document import Entry

KEY = "secret"
KEYS = (*SOURCES, "timeout")
TIMEOUT = 30
LONGEST_TIMEOUT = 3600
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
ARMOUR = re.compile(r"\s*-----BEGIN AGE ENCRYPTED FILE-----\s(.*\s)?-----END AGE ENCRYPTED FILE-----\s*\Z", re.DOTALL)
FORMS = "write {secret: {age: |...}}, {secret: {env: NAME}} or {secret: {command: [PROGRAM, WORD]}}"


def reference(entry: Entry) -> Optional[Reference]:
    """The reference that a value is; None if it is an ordinary value.

    Raises:
        UsageError: it is of the form, and faulty.
    """
    if not isinstance(entry.value, dict) or list(entry.value) != [KEY] or not isinstance(entry.value[KEY].value, dict):
        return None
    keys: Dict[str, Entry] = entry.value[KEY].value
    if entry.foreign and not keys.keys() & set(SOURCES):
        return None
    keys = entry.value[KEY].mapping(KEYS)
    given = [source for source in SOURCES if source in keys]
    if len(given) != 1:
        entry.value[KEY].refuse("should have one of the keys age, env, command", FORMS)
    source = given[0]
    if "timeout" in keys and source != "command":
        keys["timeout"].refuse("is for a command only")
    value = (tuple(word(item) for item in keys[source].sequence()),) if source == "command" else ((text(source, keys[source]),),)
    if not value[0]:
        keys[source].refuse("should name a program", FORMS)
    return Reference(source, value[0], timeout(keys["timeout"]) if "timeout" in keys else TIMEOUT, entry.place)


def text(source: str, entry: Entry) -> str:
    """The armoured text, or the variable's name. What is wrong with it is not shown: somebody may have put the secret there."""
    if not isinstance(entry.value, str):
        entry.refuse("should be a text", FORMS)
    if source == "env" and not NAME.match(entry.value):
        entry.refuse("should be the name of a variable of the environment", FORMS)
    if source == "age" and not ARMOUR.match(entry.value):
        entry.refuse("is no armoured text of age", "./inv secrets.encrypt makes one; it needs | after the key, and indentation")
    return str(entry.value)


def word(entry: Entry) -> str:
    """A word of a command."""
    if not isinstance(entry.value, str) or not entry.value or "\0" in entry.value:
        entry.refuse("should be a word of the command; put a number in quotes")
    return str(entry.value)


def timeout(entry: Entry) -> float:
    """Seconds that a command may take."""
    if isinstance(entry.value, bool) or not isinstance(entry.value, int) or not 1 <= entry.value <= LONGEST_TIMEOUT:
        entry.refuse(f"should be a number of seconds from 1 to {LONGEST_TIMEOUT}")
    return float(entry.value)
