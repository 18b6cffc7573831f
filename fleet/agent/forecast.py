"""What the changes planned so far will have brought when a later resource's turn comes."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Set

FILE, DIRECTORY, LINK, ABSENT = "file", "directory", "link", "absent"


class Forecast:
    """Empty while changes are applied: then the host itself tells."""

    def __init__(self) -> None:
        self.paths: "Dict[str, str]" = {}
        self.trees: "Set[str]" = set()
        self.installing = False
        self.installed: "Set[str]" = set()
        self.removed: "Set[str]" = set()
        self.repositories: "Dict[str, Any]" = {}  # each one's file to come: its text or its content; None where it goes
        self.users: "Set[str]" = set()
        self.groups: "Set[str]" = set()
        self.gone_users: "Set[str]" = set()
        self.gone_groups: "Set[str]" = set()
        self.loaded: "Optional[Set[str]]" = None  # paths that systemd will have read, once it reads anew
        self.left: "Set[str]" = set()  # units that will have been stopped and disabled
        self.modules = False
        self.commands = False

    def brings(self, path: str) -> bool:
        """Whether `path` will be there, as far as can be told: a package or an archive may bring it too."""
        known = self.paths.get(path)
        if known is not None:
            return known != ABSENT
        if any(path == tree or path.startswith(tree + os.sep) for tree in self.trees):
            return True
        return self.installing or self.commands

    def remaining(self, folder: str) -> "List[str]":
        """What lies in a directory and will not have been removed."""
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return [path for path in (os.path.join(folder, name) for name in names) if not self.takes(path)]

    def takes(self, path: str) -> bool:
        """Whether `path`, or what it lies in, will have been removed."""
        while path not in ("", os.sep):
            known = self.paths.get(path)
            if known is not None:
                return known == ABSENT
            path = os.path.dirname(path)
        return False
