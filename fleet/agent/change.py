"""One difference between a host and its desired state: what would be done, told in a line and a diff."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional

    Reader = Callable[[Dict[str, Any]], bytes]


class Change:
    """What a check found.

    `contents` are those that applying it takes; `shown` those that its diff takes, drawn by `draw` once they are here.
    `also` are further ids that listeners may name, which this change stands for; `steps` the words
    by which a kind tells itself what to do; `act` is what an undo would do; `fingerprint` the digest of what the check found,
    where a plan may be kept.
    """

    def __init__(self, action: str, summary: str, diff: str = "") -> None:
        self.action = action
        self.summary = summary
        self.diff = diff
        self.contents: "List[Dict[str, Any]]" = []
        self.shown: "List[Dict[str, Any]]" = []
        self.draw: "Optional[Callable[[Reader], str]]" = None
        self.backup: "Optional[str]" = None
        self.also: "List[str]" = []
        self.steps: "List[str]" = []
        self.act: "Optional[Callable[[], object]]" = None
        self.fingerprint = ""

    def finish(self, read: "Reader") -> None:
        """Draw the diff, where it had to wait for contents."""
        if self.draw is not None:
            self.diff, self.draw = self.draw(read), None
