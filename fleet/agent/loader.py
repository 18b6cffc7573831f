"""Imports the agent's modules from the one text that they came in: a dictionary of sources by module name."""

import importlib.abc
import importlib.util
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any, Dict, Optional

SOURCES: "Dict[str, str]" = {}  # the names of packages end in a dot


class Sources(importlib.abc.InspectLoader):
    """A finder and loader over SOURCES. Tracebacks show its lines under the repository's paths."""

    def find_spec(self, name: str, _path: "Any" = None, _target: "Any" = None) -> "Optional[ModuleSpec]":
        """The module, if it is one of the agent's."""
        if name not in SOURCES and name + "." not in SOURCES:
            return None
        return importlib.util.spec_from_loader(name, self, origin=self._origin(name), is_package=self.is_package(name))

    def is_package(self, fullname: str) -> bool:
        """Whether modules lie below it."""
        return fullname + "." in SOURCES

    def get_source(self, fullname: str) -> str:
        """Its text."""
        return SOURCES.get(fullname) or SOURCES.get(fullname + ".") or ""

    def get_code(self, fullname: str) -> "CodeType":
        """Its code."""
        return compile(self.get_source(fullname), self._origin(fullname), "exec", dont_inherit=True)

    def exec_module(self, module: "ModuleType") -> None:
        """Run it."""
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102 # what a loader does

    def _origin(self, name: str) -> str:
        return name.replace(".", "/") + ("/__init__.py" if self.is_package(name) else ".py")


def start(program: "Optional[bytes]", digest: str, home: str, lock: str) -> int:
    """Begin the conversation; the exit status."""
    sys.meta_path.insert(0, Sources())
    from fleet.agent.conversation import begin

    return begin(program, digest, home, lock)
