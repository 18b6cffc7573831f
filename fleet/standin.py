"""Modules that stand in for others while a library is imported that asks for them, and that has no use for them here."""

from __future__ import annotations

import contextlib
import sys
from types import ModuleType
from typing import Iterator, Mapping


@contextlib.contextmanager
def standing_in(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """While this lasts, an import of one of these names gives the module here, unless the real one is loaded already."""
    absent = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(absent)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
