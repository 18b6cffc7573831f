"""Imports the agent's modules from the one text that they came in, or from their code: a dictionary by module name."""

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any, Callable, Dict, Optional, Union
else:
    ModuleSpec = type(sys.__spec__)  # of importlib.machinery, which is slow to import

SELF = ""  # this text's own name
SOURCES: "Dict[str, Union[str, bytes]]" = {}  # texts, or code as marshal writes it; the names of packages end in a dot
COMPILED: "Dict[str, CodeType]" = {}  # what this process made of texts, by the same names


class Sources:
    """A finder and loader over SOURCES. Tracebacks name its lines by the repository's paths."""

    def find_spec(self, name: str, _path: "Any" = None, _target: "Any" = None) -> "Optional[ModuleSpec]":
        """The module, if it is one of the agent's."""
        if name not in SOURCES and name + "." not in SOURCES:
            return None
        return ModuleSpec(name, self, origin=origin(name), is_package=name + "." in SOURCES)  # type: ignore[arg-type] # PEP 451

    def create_module(self, _spec: "ModuleSpec") -> None:
        """As any module is made."""

    def exec_module(self, module: "ModuleType") -> None:
        """Run it."""
        exec(code(module.__name__), module.__dict__)  # noqa: S102 # what a loader does

    def get_source(self, name: str) -> "Optional[str]":
        """Its text, for a traceback."""
        text = SOURCES.get(name) or SOURCES.get(name + ".")
        return text if isinstance(text, str) else None


def code(name: str) -> "CodeType":
    """A module's code."""
    key = name if name in SOURCES else name + "."
    found = SOURCES[key]
    if isinstance(found, bytes):
        loaded: "CodeType" = marshal.loads(found)  # noqa: S302 # its digest was checked
        return loaded
    COMPILED[key] = compile(found, origin(name), "exec", dont_inherit=True, optimize=2)
    return COMPILED[key]


def origin(name: str) -> str:
    """A module's path in the repository."""
    return (name.replace(".", "/") + ("/__init__.py" if name + "." in SOURCES else ".py")) if name else "skiff-agent"


def pack() -> bytes:
    """Every module behind a checksum of it all, as the stub finds it: code where this run had a use for it, else text."""
    import zlib

    code(SELF)
    data = marshal.dumps({name: marshal.dumps(COMPILED[name]) if name in COMPILED else SOURCES[name] for name in SOURCES})
    return zlib.crc32(data).to_bytes(4, "big") + data


def start(sent: "Optional[bytes]", digest: str, code_name: str, coded: bool, home: str, lock: str) -> int:
    """Begin the conversation; the exit status."""
    packing: "Optional[Callable[[], bytes]]" = None if coded else pack
    sys.meta_path.insert(0, Sources())
    from fleet.agent.conversation import begin
    from fleet.agent.program import Program

    return begin(Program(digest, code_name, sent, packing), home, lock)
