"""fstab's option words, as the OCI specification lists them: flags, propagation, attributes of a whole tree, and data."""

from __future__ import annotations

from skiff.linux import mounts as ms
from skiff.linux import newmount as new

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
    "acl": (ms.MS_POSIXACL, 0),
    "noacl": (0, ms.MS_POSIXACL),
    "nosymfollow": (ms.MS_NOSYMFOLLOW, 0),
    "symfollow": (0, ms.MS_NOSYMFOLLOW),
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


# Word: attributes that mount_setattr sets and clears on a mount and all below it.
_ATIME = new.MOUNT_ATTR__ATIME
_RECURSIVE = {
    "rro": (new.MOUNT_ATTR_RDONLY, 0),
    "rrw": (0, new.MOUNT_ATTR_RDONLY),
    "rnosuid": (new.MOUNT_ATTR_NOSUID, 0),
    "rsuid": (0, new.MOUNT_ATTR_NOSUID),
    "rnodev": (new.MOUNT_ATTR_NODEV, 0),
    "rdev": (0, new.MOUNT_ATTR_NODEV),
    "rnoexec": (new.MOUNT_ATTR_NOEXEC, 0),
    "rexec": (0, new.MOUNT_ATTR_NOEXEC),
    "rnodiratime": (new.MOUNT_ATTR_NODIRATIME, 0),
    "rdiratime": (0, new.MOUNT_ATTR_NODIRATIME),
    "rnosymfollow": (new.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "rsymfollow": (0, new.MOUNT_ATTR_NOSYMFOLLOW),
    "rrelatime": (0, _ATIME),
    "rnorelatime": (0, 0),  # as norelatime for the kernel: since 2.6.30 it is what one has who says nothing
    "rnoatime": (new.MOUNT_ATTR_NOATIME, _ATIME),
    "ratime": (0, _ATIME),
    "rstrictatime": (new.MOUNT_ATTR_STRICTATIME, _ATIME),
    "rnostrictatime": (0, _ATIME),
}
_OWN = ("idmap", "ridmap", "tmpcopyup")


class Options:
    """`flags` and `cleared` are mount(2)'s, `propagation` in order, `sets` and `clears` mount_setattr's for the whole tree.

    `own` are the words that neither knows: idmap, ridmap, tmpcopyup.
    """

    __slots__ = ("cleared", "clears", "data", "flags", "own", "propagation", "sets")

    def __init__(self) -> None:
        self.flags = self.cleared = self.sets = self.clears = 0
        self.propagation: list[int] = []
        self.own: set[str] = set()
        self.data = b""


def parse(words: list[str]) -> Options:
    """What the words of one mount say; of two that contradict each other the last one holds."""
    found = Options()
    data = []
    for word in words:
        if word in _FLAGS:
            sets, clears = _FLAGS[word]
            found.flags = (found.flags | sets) & ~clears
            found.cleared = (found.cleared | clears) & ~sets
        elif word in PROPAGATION:
            found.propagation.append(PROPAGATION[word])
        elif word in _RECURSIVE:
            sets, clears = _RECURSIVE[word]
            found.sets = found.sets & ~clears | sets
            found.clears = found.clears & ~sets | clears
        elif word in _OWN:
            found.own.add(word)
        else:
            data.append(word)
    found.data = ",".join(data).encode("utf-8", "surrogateescape")
    return found


def known() -> list[str]:
    """Every word that is not passed on to the file system."""
    return sorted((*_FLAGS, *PROPAGATION, *_RECURSIVE, *_OWN))
