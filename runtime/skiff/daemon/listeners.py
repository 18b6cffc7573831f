"""The API's unix sockets: born with their owner and mode, replaced when stale, never taken from a daemon that answers."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import stat

from skiff.errors import ConfigError, SkiffError

DEFAULT_GROUP = "skiff"
BACKLOG = 128
MAX_PATH = 107


def group_id(name: str) -> int:
    """The group that owns the sockets; the default one need not exist, one that was asked for must."""
    try:
        return grp.getgrnam(name or DEFAULT_GROUP).gr_gid
    except KeyError:
        if name:
            raise ConfigError(f"group {name} not found; make it with groupadd, or leave out the option group") from None
        return 0


def listen(path: str, gid: int) -> socket.socket:
    """A listening socket at `path`, root and the group its only users from the first moment."""
    if len(os.fsencode(path)) > MAX_PATH:
        raise SkiffError(f"cannot listen on unix://{path}: a socket's path has at most {MAX_PATH} bytes")
    try:
        _remove_stale(path)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    except OSError as error:
        raise SkiffError(f"cannot listen on unix://{path}: {error.strerror}") from error
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    # Bound under a umask that lets nobody but root in; the group follows once it owns the file.
    previous = os.umask(0o177)
    try:
        sock.bind(path)
        if os.geteuid() == 0:
            os.chown(path, 0, gid)
        os.chmod(path, 0o660)
    except OSError as error:
        sock.close()
        raise SkiffError(f"cannot listen on unix://{path}: {error.strerror}") from error
    finally:
        os.umask(previous)
    sock.listen(BACKLOG)
    sock.setblocking(False)
    return sock


def _remove_stale(path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise SkiffError(f"cannot listen on unix://{path}: a file that is no socket is in the way; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            return
        except OSError as error:
            raise SkiffError(f"cannot listen on unix://{path}: {error.strerror}") from error
    raise SkiffError(f"cannot listen on unix://{path}: another daemon answers there; stop it or choose another --host")
