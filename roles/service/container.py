"""The proof by a container: container.sh runs some on the host, and what it saw is judged here, a claim a check."""

from __future__ import annotations

from pathlib import Path
from typing import List, Mapping, Sequence

from fleet.checks import Check, Outcome, Probe
from fleet.content import Content

SCRIPT = Content.of(Path(__file__).with_name("container.sh").read_bytes())
REFERENCE = "skiff/probe:1"  # as the probe image is tagged
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
KILLED = "137"


def probe(image: Content, command: str) -> Probe:
    """Runs the script with the image and an engine's command, in `verify` and where something changed."""
    argv = ("/bin/sh", "{script}", "{image}", REFERENCE, command)
    return Probe("container", argv, when="changed", timeout=120.0, contents={"script": SCRIPT, "image": image})


def judge(outcome: Outcome, engine: str, kinds: Sequence[str] = NAMESPACES) -> List[Check]:
    """The claims, or only that no container runs; `kinds` are the namespaces that the engine gives."""
    logs = f"look at journalctl -u {engine} on the host"
    seen = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    if seen.get("first.status") != "0":
        told = [seen.get("load.error", ""), seen.get("first.error", ""), outcome.stderr.strip()]
        fault = "its time ran out" if outcome.status == 124 else "; ".join(text.strip() for text in told if text.strip())
        return [Check("A container runs", False, fault or f"status {seen.get('first.status', outcome.status)}", logs)]
    return [
        Check("A container runs", seen.get("pid") == "1", f"its first process has pid {seen.get('pid', 'unknown')}", logs),
        _namespaces(seen, kinds, logs),
        Check("It stands on an overlay", seen.get("root") == "overlay", f"its root is {seen.get('root', 'unknown')}", logs),
        _memory(seen, engine),
        _untouched(seen, logs),
    ]


def _namespaces(seen: Mapping[str, str], kinds: Sequence[str], logs: str) -> Check:
    """A namespace counts where both links were read and differ."""
    shared = [kind for kind in kinds if not seen.get(f"container.{kind}") or seen[f"container.{kind}"] == seen.get(f"host.{kind}")]
    detail = f"shared with the host: {', '.join(shared)}" if shared else ", ".join(kinds)
    return Check(f"It has {len(kinds)} namespaces of its own", not shared, detail, logs)


def _memory(seen: Mapping[str, str], engine: str) -> Check:
    status = seen.get("memory.status", "unknown")
    detail = (
        "64 MiB where 16 are allowed: killed, status 137" if status == KILLED else f"status {status} {seen.get('memory.error', '')}"
    )
    cure = f"look at the memory control group: {engine} info"
    return Check("Its memory limit is enforced", status == KILLED, detail.strip(), cure)


def _untouched(seen: Mapping[str, str], logs: str) -> Check:
    status = seen.get("second.status", "unknown")
    detail = "a second container does not see it" if status == "0" else f"status {status} {seen.get('second.error', '')}".strip()
    return Check("A write in it leaves the image untouched", status == "0", detail, logs)
