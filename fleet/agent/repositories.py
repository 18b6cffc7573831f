"""The .repo files as they will be: a directory of them for a dry run, so that a plan knows packages of a repository to come."""

import contextlib
import os
import shutil

from fleet.agent import scratch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Iterator, List, Optional

FOLDER = "/etc/yum.repos.d"


@contextlib.contextmanager
def foreseen(coming: "Dict[str, Optional[str]]") -> "Iterator[List[str]]":
    """Options by which the package manager reads the repositories as they will be; none where nothing changes."""
    if not coming:
        yield []
        return
    with scratch.folder() as folder:
        names = [name for name in os.listdir(FOLDER) if name.endswith(".repo")] if os.path.isdir(FOLDER) else []
        for name in names:
            if name[: -len(".repo")] not in coming:
                shutil.copy(os.path.join(FOLDER, name), folder)
        for name, text in coming.items():
            if text is not None:
                with open(os.path.join(folder, name + ".repo"), "w", encoding="utf-8") as stream:
                    stream.write(text)
        yield ["--setopt=reposdir=" + folder]
