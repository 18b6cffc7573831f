"""fstab's option words, as the OCI specification lists them: flags, propagation and what is the file system's own."""

from __future__ import annotations

from skiff.linux import mounts as ms

# Word: the flags that it sets and those that it clears.
_FLAGS = {
    "defaults": (0, 0),
    "ro": (ms.MS_RDONLY, 0),
    "rw": (0, ms.MS_RDONLY),
    "nosuid": (ms.MS_NOSUID, 0),
    "suid": (0, ms.MS_NOSUID),
    "nodev": (ms.MS_NODEV, 0),
    "dev": (0, ms.MS_NODEV),
    "noexec": (ms.MS_NOEXEC, 0),
    "exec": (0, ms.MS_NOEXEC),
    "sync": (ms.MS_SYNCHRONOUS, 0),
    "async": (0, ms.MS_SYNCHRONOUS),
    "dirsync": (ms.MS_DIRSYNC, 0),
    "remount": (ms.MS_REMOUNT, 0),
    "mand": (ms.MS_MANDLOCK, 0),
    "nomand": (0, ms.MS_MANDLOCK),
    "noatime": (ms.MS_NOATIME, 0),
    "atime": (0, ms.MS_NOATIME),
    "nodiratime": (ms.MS_NODIRATIME, 0),
    "diratime": (0, ms.MS_NODIRATIME),
    "relatime": (ms.MS_RELATIME, 0),
    "norelatime": (0, ms.MS_RELATIME),
    "strictatime": (ms.MS_STRICTATIME, 0),
    "nostrictatime": (0, ms.MS_STRICTATIME),
    "lazytime": (ms.MS_LAZYTIME, 0),
    "nolazytime": (0, ms.MS_LAZYTIME),
    "iversion": (ms.MS_I_VERSION, 0),
    "noiversion": (0, ms.MS_I_VERSION),
    "silent": (ms.MS_SILENT, 0),
    "loud": (0, ms.MS_SILENT),
    "bind": (ms.MS_BIND, 0),
    "rbind": (ms.MS_BIND | ms.MS_REC, 0),
}
PROPAGATION = {
    "shared": ms.MS_SHARED,
    "slave": ms.MS_SLAVE,
    "private": ms.MS_PRIVATE,
    "unbindable": ms.MS_UNBINDABLE,
    "rshared": ms.MS_SHARED | ms.MS_REC,
    "rslave": ms.MS_SLAVE | ms.MS_REC,
    "rprivate": ms.MS_PRIVATE | ms.MS_REC,
    "runbindable": ms.MS_UNBINDABLE | ms.MS_REC,
}


def parse(words: list[str]) -> tuple[int, list[int], bytes]:
    """Flags, propagations in order, and data."""
    flags, propagation, data = 0, [], []
    for word in words:
        if word in _FLAGS:
            sets, clears = _FLAGS[word]
            flags = (flags | sets) & ~clears
        elif word in PROPAGATION:
            propagation.append(PROPAGATION[word])
        else:
            data.append(word)
    return flags, propagation, ",".join(data).encode("utf-8", "surrogateescape")
