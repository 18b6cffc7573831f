"""What the probe saw, as facts by name: normalised, so that two containers of one document have the same."""

from __future__ import annotations

import re
from collections import Counter
from typing import Callable

# Of /proc/PID/status: what no configuration governs and no two processes share.
_VOLATILE = (
    "Pid",
    "Tgid",
    "State",
    "Name",
    "Threads",
    "voluntary_ctxt_switches",
    "nonvoluntary_ctxt_switches",
    "PPid",
    "untag_mask",
)
_STAT = {"session": 3, "pgrp": 2, "tty": 4, "priority": 15, "nice": 16, "rt_priority": 37, "policy": 38}  # after the name
_NAMED = re.compile(r"(pipe|socket|anon_inode|net|mnt):\[\d+\]|/dev/pts/\d+")


def sections(text: str) -> tuple[str, dict[str, list[str]]]:
    """What was said before the first section, and the lines of each."""
    before, *parts = re.split(r"^@", text, flags=re.MULTILINE)
    found = {}
    for part in parts:
        name, *lines = part.splitlines()
        found[name] = lines
    return before, found


def facts(text: str, namespaces: Callable[[str], str]) -> dict[str, str]:
    """All that was seen; `namespaces` tells whose a namespace of this identity is."""
    before, found = sections(text)
    seen = {"said": _NAMED.sub(r"\1", before)}
    for name, lines in found.items():
        read = _READERS.get(name)
        if read is not None:
            seen.update({f"{name} {key}": value for key, value in read(lines).items()})
        elif name == "ns":
            seen.update({f"ns {kind}": namespaces(link) for kind, _, link in (line.partition(" ") for line in lines)})
        else:
            seen[name] = "\n".join(lines).strip()
    return seen


def _status(lines: list[str]) -> dict[str, str]:
    seen = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key == "SigQ":
            value = value.partition("/")[2]
        elif key in ("NStgid", "NSpid", "NSpgid", "NSsid"):
            value = str(len(value.split()))
        if key not in _VOLATILE and not key.startswith(("Vm", "Rss", "Huge", "THP")):
            seen[key] = value.strip()
    return seen


def _stat(lines: list[str]) -> dict[str, str]:
    if not lines or ")" not in lines[0]:
        return {"unread": "\n".join(lines)}
    pid = lines[0].split()[0]
    fields = lines[0].rpartition(")")[2].split()
    return {name: "its own" if fields[index] == pid else fields[index] for name, index in _STAT.items()}


def _mountinfo(lines: list[str]) -> dict[str, str]:
    seen: dict[str, str] = {}
    numbers: Counter[str] = Counter()
    order = []
    for line in lines:
        head, dash, tail = line.partition(" - ")
        if not dash:
            return {"unread": "\n".join(lines)}
        _, _, _, root, point, options, *optional = head.split(" ")
        kind, source, inner = tail.split(" ")
        numbers[point] += 1
        key = point if numbers[point] == 1 else f"{point} #{numbers[point]}"
        propagation = " ".join(word.partition(":")[0] for word in optional)
        sets = " ".join(",".join(sorted(words.split(","))) for words in (options, inner))
        # What covers a masked file is a fact of its own: any /dev/null does.
        seen[f"{key} mask" if root == "/null" else key] = f"{kind} {source} {_NAMED.sub('', root)} {sets} {propagation}"
        order.append(point)
    return {**seen, "order": "\n".join(order)}


def _limits(lines: list[str]) -> dict[str, str]:
    return {line[:26].strip(): line[26:].strip() for line in lines}


def _keyed(lines: list[str]) -> dict[str, str]:
    """Lines of a name, a bar and a value; a line without is the former's."""
    seen: dict[str, str] = {}
    last = ""
    for line in lines:
        key, bar, value = line.partition("|")
        if bar:
            last = key
            seen[last] = value
        else:
            seen[last] = f"{seen.get(last, '')}\n{line}"
    own = ("/self", "/thread-self")  # links of procfs to whoever looks
    return {key: re.sub(r"probe: line \d+: ", "", value) for key, value in seen.items() if not key.endswith(own)}


def _files(lines: list[str]) -> dict[str, str]:
    """What grep prints of files: the name, a colon and a line."""
    seen: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        if key.endswith("devices.list"):
            device, _, value = value.rpartition(" ")
            key = f"{key} {device}"  # the kernel's own order tells nothing
        seen[key] = f"{seen[key]}\n{value}" if key in seen else value
    return seen


def _descriptors(lines: list[str]) -> dict[str, str]:
    pairs = [line.split(" ", 1) for line in lines]
    return {pair[0]: _NAMED.sub(r"\1", pair[-1]) for pair in pairs if pair[-1] not in ("", "/bin/probe")}


_READERS: dict[str, Callable[[list[str]], dict[str, str]]] = {
    "status": _status,
    "stat": _stat,
    "mountinfo": _mountinfo,
    "limits": _limits,
    "nodes": _keyed,
    "paths": _keyed,
    "tries": _keyed,
    "sysctl": _files,
    "cgroups": _files,
    "fd": _descriptors,
}
