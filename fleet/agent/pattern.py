"""Regular expressions. Their module is the slowest of all to import, and a run without changes mostly does without."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any, AnyStr, List, Optional


def search(pattern: "AnyStr", text: "AnyStr") -> "Optional[re.Match[AnyStr]]":
    """As re.search."""
    import re

    return re.search(pattern, text)


def findall(pattern: str, text: str) -> "List[Any]":
    """As re.findall."""
    import re

    return re.findall(pattern, text)


def sub(pattern: str, replacement: str, text: str) -> str:
    """As re.sub."""
    import re

    return re.sub(pattern, replacement, text)


def split(pattern: str, text: str) -> "List[str]":
    """As re.split."""
    import re

    return re.split(pattern, text)
