"""Differences as text for a person: unified, bounded, and never of what is binary."""

from fleet.agent import notation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

LARGEST = 256 << 10  # beyond, a diff tells the sizes only
LONGEST = 64 << 10  # characters of one diff
MOST = 8 << 20  # bytes of all diffs of a plan, as a message carries them: half of what one may have


def of_texts(path: str, old: "Optional[bytes]", new: "Optional[bytes]") -> str:
    """A unified diff of two contents, either None where there is no file."""
    before, after = _decoded(old), _decoded(new)
    if before is None or after is None:
        return "{}: {} -> {}\n".format(path, _told(old), _told(new))
    names = ("/dev/null" if old is None else path, "/dev/null" if new is None else path)
    import difflib  # slow to import

    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), names[0], names[1])
    return cut("".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines))


def of_value(name: str, old: str, new: str) -> str:
    """One line for what is not a file's text: a mode, an owner, a state."""
    return "{}: {} -> {}\n".format(name, old, new)


def cut(text: str) -> str:
    """The text, shortened where it is longer than a diff may be: by whole lines, for half of a secret is not known as one."""
    if len(text) <= LONGEST:
        return text
    kept = text[: text.rfind("\n", 0, LONGEST) + 1]
    return "{}... {} more characters\n".format(kept, len(text) - len(kept))


def weight(text: str) -> int:
    """The bytes that a text takes in a message."""
    return len(notation.dumps(text).encode("utf-8", "replace"))


def left_out(text: str) -> str:
    """What stands for a diff for which a plan has no room."""
    return "... {} characters not shown: the plan's differences take more than {} MiB\n".format(len(text), MOST >> 20)


def _decoded(data: "Optional[bytes]") -> "Optional[str]":
    if data is None:
        return ""
    if len(data) > LARGEST or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _told(data: "Optional[bytes]") -> str:
    if data is None:
        return "none"
    kind = "text" if _decoded(data) is not None or (len(data) > LARGEST and b"\0" not in data[:8192]) else "binary"
    return "{}, {} bytes".format(kind, len(data))
