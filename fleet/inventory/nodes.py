"""What single nodes of PyYAML's tree mean to Skiff: scalars that JSON can hold, values of ansible-vault, and merged mappings."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Tuple

import yaml

TAG = "tag:yaml.org,2002:"
SCALARS = frozenset(TAG + name for name in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge"))
Pair = Tuple[yaml.Node, yaml.Node]


class Vaulted:
    """A value that ansible-vault has encrypted: it can be kept and shown as such, not used."""

    def __str__(self) -> str:
        return "<encrypted by ansible-vault>"

    __repr__ = __str__


def scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """A scalar's value.

    Raises:
        ValueError: it has none, told in words that follow its place.
    """
    if node.tag in ("!vault", "!vault-encrypted"):
        return Vaulted()
    if node.tag == "!unsafe":
        return str(node.value)
    if node.tag not in SCALARS:
        raise ValueError(f"has the tag {shown_tag(node)}, which Skiff does not know")
    # A date, "=" and "<<" are meant as they are written.
    if node.tag in (TAG + "timestamp", TAG + "value", TAG + "merge"):
        return str(node.value)
    try:
        value = loader.construct_object(node)
    except (ValueError, yaml.YAMLError) as error:
        raise ValueError(f"{node.value[:40]!r} is not of the type {shown_tag(node)}") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{node.value!r} is no finite number")
    return value


def refuse_tag(node: yaml.Node) -> None:
    """Refuses a mapping or a list that is tagged as something else.

    Raises:
        ValueError: it is.
    """
    expected = "map" if isinstance(node, yaml.MappingNode) else "seq"
    if node.tag != TAG + expected:
        raise ValueError(f"has the tag {shown_tag(node)}, which Skiff does not know")


def shown_tag(node: yaml.Node) -> str:
    """A tag as it is written."""
    return node.tag.replace(TAG, "!!") if node.tag else "!"


def merged(node: yaml.MappingNode) -> List[Pair]:
    """The pairs that a mapping takes over by `<<`; the first of several mappings wins.

    Raises:
        ValueError: what follows `<<` is no mapping, or holds itself.
    """
    found: Dict[str, Pair] = {}
    for source in sources(node):
        for key, value in _all_pairs(source, (node,)):
            found.setdefault(str(key.value), (key, value))
    return list(found.values())


def own(node: yaml.MappingNode) -> List[Pair]:
    """The pairs that stand in a mapping itself."""
    return [pair for pair in node.value if pair[0].tag != TAG + "merge"]


def sources(node: yaml.MappingNode) -> List[yaml.MappingNode]:
    """The mappings that a mapping names by `<<`."""
    found: List[yaml.MappingNode] = []
    for key, value in node.value:
        if key.tag != TAG + "merge":
            continue
        for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            if not isinstance(each, yaml.MappingNode):
                raise ValueError("'<<' should name a mapping, or a list of mappings")
            found.append(each)
    return found


def _all_pairs(node: yaml.MappingNode, above: Tuple[yaml.Node, ...]) -> List[Pair]:
    if node in above:
        raise ValueError("the mapping holds itself by '<<'")
    pairs = own(node)
    for source in sources(node):
        pairs += _all_pairs(source, (*above, node))
    return pairs
