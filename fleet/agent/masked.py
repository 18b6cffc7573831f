"""JSON values as a diff may show them: without what is declared secret, what is named like a secret, and logins in addresses."""

from fleet.agent import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

HIDDEN = "(secret)"
CHANGED = "(secret, changed)"
NAMED = r"(?i)pass(wd|word|phrase)?\Z|secret|token|api[_-]?key|credential|auth\Z"
LOGIN = r"(?<=://)[^/@\s]+(?=@)"
MISSING = object()


def masked(value: "Any", before: "Any", secrets: "List[List[Any]]", hidden: bool = False) -> "Any":
    """The value with a word in the place of each secret, another where it is not what it was `before`.

    `secrets` are the keys and indices that lead to each; `hidden` says that all of it is one.
    """
    hidden = hidden or [] in secrets
    if isinstance(value, dict):
        found: "Dict[str, Any]" = {}
        for key, item in value.items():
            old = before.get(key, MISSING) if isinstance(before, dict) else MISSING
            found[key] = masked(item, old, _below(secrets, key), hidden or bool(pattern.search(NAMED, key)))
        return found
    if isinstance(value, list):
        olds = before if isinstance(before, list) else []
        olds = olds + [MISSING] * (len(value) - len(olds))
        return [masked(item, olds[number], _below(secrets, number), hidden) for number, item in enumerate(value)]
    word = HIDDEN if before is MISSING or before == value else CHANGED
    if hidden and value is not None and not isinstance(value, bool):
        return word
    return pattern.sub(LOGIN, word, value) if isinstance(value, str) else value


def _below(secrets: "List[List[Any]]", key: "Any") -> "List[List[Any]]":
    return [path[1:] for path in secrets if path and path[0] == key]
