"""AppArmor profiles and SELinux labels: where they are written, and that a host without the module refuses them."""

from __future__ import annotations

import os

from skiff.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Process

APPARMOR_ENABLED = "/sys/module/apparmor/parameters/enabled"
SELINUX = "/sys/fs/selinux/enforce"
_ATTRIBUTES = "/proc/thread-self/attr"


class Label:
    """What to write to which file right before exec, and what it stands for; the file is opened while the host's /proc is there."""

    __slots__ = ("path", "text", "words")

    def __init__(self, path: str, text: bytes, words: str) -> None:
        self.path, self.text, self.words = path, text, words


def apparmor_enabled() -> bool:
    """Whether this kernel confines by AppArmor."""
    try:
        with open(APPARMOR_ENABLED, "rb") as file:
            return file.read(1) == b"Y"
    except OSError:
        return False


def selinux_enabled() -> bool:
    """Whether this kernel labels by SELinux."""
    return os.path.exists(SELINUX)


def for_exec(process: Process) -> Label | None:
    """What the process asks for; Unsupported, in runc's words, where the kernel has it not."""
    profile, label = process.get("apparmorProfile") or "", process.get("selinuxLabel") or ""
    if label:
        require_selinux("process.selinuxLabel")
        return Label(f"{_ATTRIBUTES}/exec", os.fsencode(label), f"process.selinuxLabel {label!r}")
    if not profile:
        return None
    if not apparmor_enabled():
        raise Unsupported(f"apparmor: config provided but apparmor not supported: take process.apparmorProfile {profile!r} out")
    own = f"{_ATTRIBUTES}/apparmor/exec"
    words = f"process.apparmorProfile {profile!r}"
    return Label(own if os.path.exists(own) else f"{_ATTRIBUTES}/exec", b"exec " + os.fsencode(profile), words)


def require_selinux(key: str) -> None:
    """Refuse a label that nobody would heed; `key` is where it stands."""
    if not selinux_enabled():
        raise Unsupported(f"selinux label is specified in config, but selinux is disabled or not supported: take {key} out")
