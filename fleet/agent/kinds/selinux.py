"""SELinux's mode: now, in its file, and, to have none at all, in the kernel arguments of every boot entry."""

import os

from fleet.agent import diff, pattern, process
from fleet.agent.change import Change
from fleet.agent.document import Document
from fleet.agent.errors import AgentError
from fleet.agent.facts import listed, read, selinux_mode
from fleet.agent.forecast import Forecast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional, Tuple

    from fleet.agent.host import Host
    from fleet.agent.ledger import Place

FILE = "/etc/selinux/config"
ENFORCE = "/sys/fs/selinux/enforce"
ARGUMENT = "selinux=0"
CMDLINE = "/proc/cmdline"
GRUBBY_CURE = "install grubby (dnf install grubby), or see to selinux=0 in every boot entry by the boot loader's own means"
PATIENCE = 120.0
NOW, IN_FILE, IN_ARGUMENTS = "now", "in its file", "in the kernel's arguments"


def check(want: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What differs in each of the three places; what only a reboot changes is noted, not counted."""
    steps = _steps(want["mode"], host)
    _note_reboot(want["mode"], host)
    if not steps:
        return None
    change = Change("update", "SELinux {}: {}".format(want["mode"], ", ".join(where for where, _, _ in steps)))
    change.diff = "".join(diff.of_value("SELinux " + where, old, new) for where, old, new in steps)
    return change


def apply(want: "Dict[str, Any]", change: Change, host: "Host") -> None:
    """Set the mode in each place where it differs."""
    mode = want["mode"]
    for where, old, new in _steps(mode, host):
        if where != IN_FILE:
            host.ledger.enter("selinux", where, old, new)
        if where == NOW:
            _set_mode(mode)
        elif where == IN_FILE:
            _document(mode).write(change, host)
        else:
            _set_argument(mode == "disabled")
            if _argument_steps(mode, host):
                raise AgentError("grubby left a boot entry as it was", "", "compare grubby --info=ALL with /boot/loader/entries")
    _note_reboot(mode, host)


def foresee(_want: "Dict[str, Any]", _change: Change, _forecast: Forecast) -> None:
    """Nothing that a check asks for."""


def undo(place: "Place", host: "Host") -> "Optional[Change]":
    """The mode that the kernel was in, or the arguments that its boot entries had; its file is put back as a file."""
    old, now = place.original, running()
    if now == "disabled" and old not in (now, ARGUMENT):
        host.needs_reboot("SELinux is off until this host is started anew")
    if place.name == NOW:
        if now in ("disabled", old):
            return None
        change = Change("restore", "SELinux {} now".format(old), diff.of_value("SELinux now", now, old))
        change.act = lambda: _set_mode(old)
        return change
    there = old == ARGUMENT
    _, having = _entries()
    if having and all(one == there for one in having):
        return None
    change = Change("restore", "SELinux in the kernel's arguments: {}".format(old))
    change.act = lambda: _set_argument(there)
    return change


def _set_mode(mode: str) -> None:
    _must(["setenforce", "1" if mode == "enforcing" else "0"], "SELinux's mode cannot be set")


def _set_argument(there: bool) -> None:
    verb = "--args" if there else "--remove-args"
    _must(["grubby", "--update-kernel", "ALL", verb, ARGUMENT], "the kernel's arguments cannot be set", GRUBBY_CURE)


def running() -> str:
    """The mode that the kernel is in."""
    return {"1": "enforcing", "0": "permissive"}.get(read(ENFORCE).strip(), "disabled")


def _steps(mode: str, host: "Host") -> "List[Tuple[str, str, str]]":
    now, text, steps = running(), read(FILE), []
    goal = "permissive" if mode == "disabled" else mode
    if now not in ("disabled", goal):
        steps.append((NOW, now, goal))
    if not text:
        if now == "disabled" and mode == "disabled":
            return steps
        raise AgentError(
            "there is no {}".format(FILE), "SELinux is {} now".format(now), "install selinux-policy-targeted, or keep SELinux"
        )
    written = [value for _, value in _settings(text.split("\n"))]
    if not written or any(value != mode for value in written):
        steps.append((IN_FILE, ", ".join(written) or "absent", mode))
    return steps + _argument_steps(mode, host)


def _argument_steps(mode: str, host: "Host") -> "List[Tuple[str, str, str]]":
    """The kernel's argument decides from EL9 on; grubby, which is slow, is asked only where it can matter.

    Where it cannot tell, that is an error: unless the argument is this kernel's alone, as in a container, and no boot entry's.
    """
    off = mode == "disabled"
    kept = any(ARGUMENT in read(path).split() for path in _boot_files())
    if off and _major(host) in (7, 8):
        return []
    if not off and not kept and ARGUMENT not in read(CMDLINE).split():
        return []
    done, having = _entries()
    if not having and (running() != "disabled" if off else kept):
        raise done.failure("the kernel's arguments cannot be told", GRUBBY_CURE)
    if off and not all(having):
        return [(IN_ARGUMENTS, "absent", ARGUMENT)]
    if not off and any(having):
        return [(IN_ARGUMENTS, ARGUMENT, "absent")]
    return []


def _entries() -> "Tuple[process.Finished, List[bool]]":
    """Whether each boot entry that starts a Linux has the argument; one without a line of arguments has none."""
    done = process.run(["grubby", "--info=ALL"], PATIENCE)
    entries = [one for one in pattern.split("(?m)^index=", done.stdout)[1:] if pattern.search("(?m)^kernel=", one)]
    lines = [" ".join(pattern.findall(r"(?m)^args=\"(.*)\"$", one)) for one in entries]
    return done, [ARGUMENT in line.split() for line in lines]


def _boot_files() -> "List[str]":
    """Wherever a release keeps the arguments of its boot entries."""
    return ["/boot/grub2/grubenv", "/boot/grub2/grub.cfg", *listed("/boot/loader/entries", ".conf")]


def _major(host: "Host") -> int:
    head = str(host.facts["os"]["version_id"]).partition(".")[0]
    return int(head) if head.isdigit() else 0


def _note_reboot(mode: str, host: "Host") -> None:
    now = running()
    if mode == "disabled" and now != "disabled":
        host.needs_reboot("SELinux stays on until this host is started anew")
    if mode != "disabled" and now == "disabled" and "CONFIG_SECURITY_SELINUX=y" in read("/boot/config-" + os.uname().release):
        host.needs_reboot("SELinux is off until this host is started anew")


def _document(mode: str) -> Document:
    lines = read(FILE).split("\n")
    settings = _settings(lines)
    for number, old in settings:
        before, equals, value = lines[number].partition("=")
        lines[number] = before + equals + mode + value.lstrip()[len(old) :]
    new = "\n".join(lines)
    if not settings:
        new = new.rstrip("\n") + "\nSELINUX={}\n".format(mode)
    return Document(FILE, data=new.encode("utf-8"))


def _settings(lines: "List[str]") -> "List[Tuple[int, str]]":
    """The lines that set the mode, each by its number, with the mode."""
    found = [(number, selinux_mode(line)) for number, line in enumerate(lines)]
    return [(number, mode) for number, mode in found if mode]


def _must(argv: "List[str]", brief: str, cure: str = "") -> None:
    done = process.run(argv)
    if done.status != 0:
        raise done.failure(brief, cure)
