"""The proof by a container: container.sh runs some on the host, and what it saw is judged here, a claim a check."""

from __future__ import annotations

from pathlib import Path
from typing import List, Mapping, Sequence

from fleet.checks import CHANGED, Check, Claim, Outcome, Probe
from fleet.content import Content

SCRIPT = Content.of(Path(__file__).with_name("container.sh").read_bytes())
REFERENCE = "skiff/probe:1"  # as the probe image is tagged
NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "uts")
KILLED = "137"
LOGS = "journalctl -u {engine} -n 50"


def claim(name: str, title: str, breaks: str, cure: str = LOGS) -> Claim:
    """A claim that a container is run for."""
    return Claim(name, title, breaks, cure, probes=("container",))


RUNS = claim("container_runs", "A container runs", "nothing does what these hosts are for")
OWN = claim(
    "container_namespaces",
    "It has {number} namespaces of its own",
    "it sees and touches what is the host's, or another container's",
)
ROOT = claim("container_root", "It stands on an overlay", "every container takes the room of its whole image")
MEMORY = claim(
    "container_memory",
    "Its memory limit is enforced",
    "one container takes the memory of all",
    "{engine} info  # WARNING: No memory limit support?",
)
WRITES = claim("container_writes", "A write in it leaves the image untouched", "containers change each other's files")
IMAGE = Claim(
    "probe_image",
    "The control machine has a probe image for the host",
    "whether a container runs stays unknown",
    "./inv bundle --arch {arch} --busybox FILE",
)
CLAIMS = (RUNS, OWN, ROOT, MEMORY, WRITES, IMAGE)


def probe(image: Content, command: str) -> Probe:
    """Runs the script with the image and an engine's command, in `verify` and where something changed."""
    argv = ("/bin/sh", "{script}", "{image}", REFERENCE, command)
    return Probe("container", argv, when=CHANGED, timeout=120.0, contents={"script": SCRIPT, "image": image})


def judge(outcome: Outcome, engine: str, kinds: Sequence[str] = NAMESPACES) -> List[Check]:
    """The claims, or only that no container runs; `kinds` are the namespaces that the engine gives."""
    seen = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    if seen.get("first.status") != "0":
        told = [seen.get("load.error", ""), seen.get("first.error", ""), outcome.stderr.strip()]
        fault = "; ".join(text.strip() for text in told if text.strip())
        return [RUNS.judged(False, fault or f"status {seen.get('first.status', outcome.status)}", engine=engine)]
    return [
        RUNS.judged(seen.get("pid") == "1", f"its first process has pid {seen.get('pid', 'unknown')}", "pid 1", engine=engine),
        _namespaces(seen, kinds, engine),
        ROOT.judged(seen.get("root") == "overlay", f"its root is {seen.get('root', 'unknown')}", "overlay", engine=engine),
        _memory(seen, engine),
        _untouched(seen, engine),
    ]


def _namespaces(seen: Mapping[str, str], kinds: Sequence[str], engine: str) -> Check:
    """A namespace counts where both links were read and differ."""
    shared = [kind for kind in kinds if not seen.get(f"container.{kind}") or seen[f"container.{kind}"] == seen.get(f"host.{kind}")]
    detail = f"shared with the host: {', '.join(shared)}" if shared else ", ".join(kinds)
    return OWN.judged(not shared, detail, ", ".join(kinds), engine=engine, number=str(len(kinds)))


def _memory(seen: Mapping[str, str], engine: str) -> Check:
    status = seen.get("memory.status", "unknown")
    detail = (
        "64 MiB where 16 are allowed: killed, status 137" if status == KILLED else f"status {status} {seen.get('memory.error', '')}"
    )
    return MEMORY.judged(status == KILLED, detail.strip(), "killed, status 137", engine=engine)


def _untouched(seen: Mapping[str, str], engine: str) -> Check:
    status = seen.get("second.status", "unknown")
    detail = "a second container does not see it" if status == "0" else f"status {status} {seen.get('second.error', '')}".strip()
    return WRITES.judged(status == "0", detail, "a second container that does not see it", engine=engine)
