"""Finds this host's copy of the agent, or takes it from stdin, and runs it only if its digest is the expected one."""

import hashlib
import os
import stat
import sys
import zlib

DIGEST, SIZE, HOME, LOCK = sys.argv[2:6]


def kept() -> bytes:
    """The cached program, read once: the bytes that are hashed are those that run."""
    try:
        home = os.lstat(HOME)
        if not stat.S_ISDIR(home.st_mode) or home.st_uid != os.geteuid() or home.st_mode & 0o077:
            return b""
        with open(os.path.join(HOME, DIGEST), "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def sent() -> bytes:
    """The program as the control side sends it after `need`."""
    os.write(1, b"need\n")
    data = b""
    while len(data) < int(SIZE):
        chunk = os.read(0, int(SIZE) - len(data))
        if not chunk:
            sys.exit("skiff: the connection ended before the agent had arrived")
        data += chunk
    return data


data = kept()
cached = hashlib.sha256(data).hexdigest() == DIGEST
if not cached:
    data = sent()
    if hashlib.sha256(data).hexdigest() != DIGEST:
        sys.exit("skiff: the agent arrived damaged")
scope: "dict[str, object]" = {"__name__": "skiff-agent"}
exec(compile(zlib.decompress(data), "skiff-agent", "exec"), scope)  # noqa: S102 # its digest was checked
sys.exit(
    scope["start"](  # type: ignore[operator] # a function of the program
        None if cached else data, DIGEST, HOME, LOCK
    )
)
