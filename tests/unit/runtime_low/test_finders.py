"""After the fork nothing can be imported any more, whatever an image plants."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from skiff.oci.init import Init


class Plan:
    """As much of a plan as leaving the parent takes."""

    dies_with_parent = False
    stdio = (0, 1, 2)

    @staticmethod
    def descriptors() -> tuple[int, ...]:
        return ()


def child(planted: Path) -> NoReturn:
    """Exits with 0 if every way to a module is closed, else with a number that tells which is open."""
    code = 100
    try:
        sys.path.insert(0, str(planted))
        sys.path_importer_cache.setdefault(str(planted), None)
        plan: Any = Plan()
        Init(plan, 1, 0).detach()
        finders: list[Any] = [sys.path, sys.meta_path, sys.path_hooks, sys.path_importer_cache]
        code = next((number for number, found in enumerate(finders, 1) if found), 0)
        import planted_by_the_image  # type: ignore[import-not-found]  # noqa: F401  # made by the test

        code = 50
    except ImportError:
        pass
    finally:
        os._exit(code)


def test_every_finder_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "planted_by_the_image.py").write_text("")
    pid = os.fork()
    if pid == 0:
        child(tmp_path)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
