"""The byte code of all modules that a command imports, kept in one file: to look for each on disk takes as long as to run it.

It lies beside Python's own in __pycache__, is made of it, and is as valid: for this interpreter, and while a source has the time
and size that it was compiled from (https://docs.python.org/3/reference/import.html#cached-bytecode-invalidation).
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType

HEADER = 16  # of a .pyc: magic number, flags, time, size; 32 bits each, the lowest byte first
FRONT = 8  # bytes before the index
UNCHECKED = 1  # the flags of one that is never compared with its source
_MAGIC: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
_Spec = type(sys.__spec__)


class Bytecode:
    """A finder and loader for sys.meta_path; what it has not, or not of the present source, the next finder looks for."""

    def __init__(self, root: str, command: str) -> None:
        self._root = root
        self._file = f"{root}/skiff/__pycache__/{command}.{sys.implementation.cache_tag}.kept"
        self._modules = _read(self._file)
        self._found: dict[str, CodeType] = {}
        self._missed: list[str] = []

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """What importlib asks of a finder."""
        if not name.startswith("skiff."):
            return None
        kept = self._modules.get(name)
        code = kept and self._is_fresh(name, *kept) and _code(kept[1])
        if not kept or not code:
            self._missed.append(name)
            return None
        self._found[name] = code
        spec = _Spec(name, self, is_package=kept[0])  # type: ignore[arg-type]  # a loader by its methods
        if kept[0]:
            spec.submodule_search_locations = [self._source(name, is_package=True).rpartition("/")[0]]
        return spec

    def create_module(self, _spec: ModuleSpec) -> None:
        """A module as any other."""

    def exec_module(self, module: ModuleType) -> None:
        """What importlib asks of a loader."""
        name = module.__name__
        module.__file__ = self._source(name, is_package=self._modules[name][0])
        exec(self._found.pop(name), module.__dict__)  # noqa: S102  # what an import is

    def keep(self) -> None:
        """Add what had to be looked for, all or nothing; where nothing can be written, all stays as it was."""
        if not self._missed or sys.dont_write_bytecode:
            return
        aside = f"{self._file}.{os.getpid()}"
        try:
            file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError:
            return
        added = {name: kept for name in self._missed if (kept := _compiled(name)) is not None}
        try:
            with open(file, "wb") as stream:
                stream.write(_written({**self._modules, **added}))
            os.replace(aside, self._file)
        except OSError:
            os.unlink(aside)

    def _is_fresh(self, name: str, is_package: bool, compiled: memoryview) -> bool:
        if compiled[4] == UNCHECKED:
            return True
        try:
            source = os.stat(self._source(name, is_package=is_package))
        except OSError:
            return False
        now = (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
        return compiled[4] == 0 and now == (int.from_bytes(compiled[8:12], "little"), int.from_bytes(compiled[12:16], "little"))

    def _source(self, name: str, *, is_package: bool) -> str:
        return f"{self._root}/{name.replace('.', '/')}{'/__init__' if is_package else ''}.py"


def _read(path: str) -> dict[str, tuple[bool, memoryview]]:
    """By a module's name: whether it is a package, and its .pyc; nothing where the file is not whole or another interpreter's."""
    try:
        with open(path, "rb", 0) as stream:
            content = memoryview(stream.read())
        place = FRONT + int.from_bytes(content[len(_MAGIC) : FRONT], "little")
        if content[: len(_MAGIC)] != _MAGIC:
            return {}
        modules = {}
        for name, is_package, size in marshal.loads(content[FRONT:place]):  # noqa: S302  # this very file's, as Python's own
            modules[name] = is_package, content[place : place + size]
            place += size
    except (OSError, EOFError, TypeError, ValueError):
        return {}
    return modules if place == len(content) else {}


def _code(compiled: memoryview) -> CodeType | None:
    """None of one that a power cut has spoiled: it is compiled anew."""
    try:
        return marshal.loads(compiled[HEADER:])  # type: ignore[no-any-return]  # noqa: S302  # as above
    except (EOFError, TypeError, ValueError):
        return None


def _written(modules: dict[str, tuple[bool, memoryview]]) -> bytes:
    """The magic number, the index's length in 32 bits, the index, and each .pyc in its order."""
    index = marshal.dumps([(name, is_package, len(compiled)) for name, (is_package, compiled) in modules.items()])
    return b"".join([_MAGIC, len(index).to_bytes(4, "little"), index, *(compiled for _, compiled in modules.values())])


def _compiled(name: str) -> tuple[bool, memoryview] | None:
    """None where Python could not keep it."""
    module = sys.modules.get(name)
    cached = getattr(module, "__cached__", None)
    if cached is None:
        return None
    try:
        with open(cached, "rb") as stream:
            return hasattr(module, "__path__"), memoryview(stream.read())
    except OSError:
        return None
