"""The .repo files as they will be: a directory of them for a dry run, so that a plan knows packages of a repository to come."""

import os

from fleet.agent import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, ContextManager, Dict, Iterator, List

FOLDER = "/etc/yum.repos.d"
SUFFIX = ".repo"


def foreseen(coming: "Dict[str, Any]", read: "Callable[[Dict[str, Any]], bytes]") -> "ContextManager[List[str]]":
    """Options by which the package manager reads the repositories as they will be; none where nothing changes.

    `coming` has their texts by name, or contents that `read` has the bytes of; None for one that goes.
    """
    import contextlib  # slow to import

    return contextlib.contextmanager(_foreseen)(coming, read)


def _foreseen(coming: "Dict[str, Any]", read: "Callable[[Dict[str, Any]], bytes]") -> "Iterator[List[str]]":
    if not coming:
        yield []
        return
    import shutil

    with scratch.folder() as folder:
        names = [name for name in os.listdir(FOLDER) if name.endswith(SUFFIX)] if os.path.isdir(FOLDER) else []
        for name in names:
            if name[: -len(SUFFIX)] not in coming:
                shutil.copy(os.path.join(FOLDER, name), folder)
        for name, text in coming.items():
            if text is not None:
                with open(os.path.join(folder, name + SUFFIX), "wb") as stream:
                    stream.write(read(text) if isinstance(text, dict) else text.encode("utf-8", "surrogateescape"))
        # One that cannot be had is no repository without the package.
        wanted = ["--setopt={}.skip_if_unavailable=0".format(name) for name, text in sorted(coming.items()) if text is not None]
        yield ["--setopt=reposdir=" + folder, *wanted]
