"""skiff-oci ps: the processes of a container, as numbers or as the host's ps shows them."""

from __future__ import annotations

import json
import os

from skiff.cgroup.manager import open_manager
from skiff.cli.oci import options
from skiff.errors import InvalidInput, SkiffError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store

FLAGS = {"format": options.VALUE, "f": "=format"}
DEFAULT = ["-ef"]


def main(containers: Store, arguments: list[str]) -> int:
    """Exit status; what follows the container id is for ps."""
    flags, rest = options.parse(arguments, FLAGS)
    identity = options.one(rest[:1])
    pids = open_manager(containers.load(identity)["cgroup"]).pids()
    style = flags.get("format", "table")
    if style == "json":
        print(json.dumps(pids or None))
    elif style == "table":
        print(rows(listing(rest[1:] or DEFAULT), pids), end="")
    else:
        raise InvalidInput(f"--format {style}: table or json")
    return 0


def listing(arguments: list[str]) -> str:
    """What ps says of the whole host."""
    read, write = os.pipe()
    try:
        pid = os.posix_spawnp("ps", ["ps", *arguments], dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, write, 1)])
    except OSError as error:
        raise SkiffError(f"ps: {error.strerror}: install procps, or take --format json") from None
    finally:
        os.close(write)
        file = open(read, encoding="utf-8", errors="replace")  # noqa: SIM115  # closed below
    with file:
        text = file.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise SkiffError(f"ps {' '.join(arguments)}: failed; its reason stands above")
    return text


def rows(text: str, pids: list[int]) -> str:
    """The heading, and the lines of these processes by the column PID."""
    heading, *lines = text.splitlines()
    titles = heading.split()
    if "PID" not in titles:
        raise InvalidInput("these ps options print no column PID, by which processes are chosen: add it, as -o pid,comm")
    column = titles.index("PID")
    wanted = {str(pid) for pid in pids}
    kept = [line for line in lines if line.split()[column : column + 1] and line.split()[column] in wanted]
    return "".join(f"{line}\n" for line in [heading, *kept])
