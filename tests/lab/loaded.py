"""A role with a resource of every kind that a fault can catch at work, and what its files must look like at any time."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict, List

from fleet.lab import Lab

ROLE = """\
import gzip, io, random, tarfile
from fleet.content import Content
from fleet.resources import Archive, Command, Directory, File, Handler, JsonFile, Link, Package, Template, Unit

ROOT = "/var/lib/load"
UNIT = "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"

def tree():
    chance, raw = random.Random(1), io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for number in range(40):
            entry = tarfile.TarInfo("part%d" % number)
            entry.size = 1 << 18
            archive.addfile(entry, io.BytesIO(chance.randbytes(entry.size)))
    return Content.of(gzip.compress(raw.getvalue(), 1, mtime=0))

TREE = tree()

def resources(facts, variables):
    pause = "sleep 1; touch /var/lib/load/paused"
    settings = JsonFile(ROOT + "/settings.json", {"word": variables.string("load_word")})
    return [
        Directory(ROOT),
        File(ROOT + "/a", Content.of(variables.string("load_word").encode() * 40000)),
        Template(ROOT + "/b", "b.j2", {"word": variables.string("load_word"), "host": facts.hostname}),
        settings,
        Archive(ROOT + "/tree", TREE),
        Package(("jq",)),
        Command("pause", ("sh", "-c", pause), creates=ROOT + "/paused"),
        File("/etc/systemd/system/load.service", Content.of(UNIT.encode())),
        Unit("load.service", enabled=True, active=True, restart_on=(settings.id,)),
        Link(ROOT + "/c", "a"),
        Handler(Command("count", ("sh", "-c", "echo again >> /var/lib/load/count")), (settings.id,)),
    ]
"""
CHECKS = """\
from fleet.checks import Check, Probe

def probes(facts, variables):
    return [Probe("sizes", ("sh", "-c", "sleep 0.5; cat /var/lib/load/tree/* | wc -c; systemctl is-active load.service"))]

def judge(facts, variables, outcomes):
    return [Check("All is there", o.stdout.split() == [str(40 << 18), "active"], o.stdout.strip()) for o in outcomes.values()]
"""
DEFAULTS = "load_word: {type: string, default: hello, help: What the files say.}\n"
# What a reader of each file may see while anything at all goes wrong: nothing, or the whole.
WHOLE = r"""
import json, os, sys
root, faults = "/var/lib/load", []
def text(name):
    path = os.path.join(root, name)
    return open(path).read() if os.path.isfile(path) else None
if text("a") not in (None, "old" * 40000, "hello" * 40000):
    faults.append("a is half-written")
if text("b") is not None and not text("b").endswith("\n"):
    faults.append("b is half-written")
if text("settings.json") not in (None, "{") and "word" not in json.loads(text("settings.json")):
    faults.append("settings.json is half-written")
if os.path.isdir(root + "/tree"):
    sizes = [os.path.getsize(os.path.join(root, "tree", name)) for name in os.listdir(root + "/tree")]
    if sizes != [1 << 18] * 40:
        faults.append("tree is half-unpacked: %d of 40" % len(sizes))
unit = "/etc/systemd/system/load.service"
if os.path.isfile(unit) and not open(unit).read().endswith("multi-user.target\n"):
    faults.append("load.service is half-written")
sys.exit("; ".join(faults) or 0)
"""
RESET = """
systemctl disable --now load.service; rm -f /etc/systemd/system/load.service; systemctl daemon-reload; systemctl reset-failed
rpm -q jq >/dev/null && rpm -e jq
rm -rf /var/lib/load /var/lib/skiff-agent /run/skiff-agent*
"""


def write(directory: Path) -> Path:
    """The directory of roles that holds it."""
    role = directory / "roles" / "load"
    (role / "templates").mkdir(parents=True)
    (role / "role.py").write_text(ROLE)
    (role / "checks.py").write_text(CHECKS)
    (role / "defaults.yml").write_text(DEFAULTS)
    (role / "templates" / "b.j2").write_text("{{ word }} from {{ host }}\n")
    return directory / "roles"


def reset(lab: Lab, name: str) -> None:
    """The host as it was before the role."""
    lab.exec(name, ["sh", "-c", RESET])


def assert_whole(lab: Lab, name: str) -> None:
    """No file of the role's is half-written."""
    done = lab.exec(name, ["/usr/bin/python3", "-c", WHOLE])
    assert done.returncode == 0, done.stderr


def reached(directory: Path, kind: str, name: str, patience: float = 30.0) -> bool:
    """Waits until a run's record has an event of the kind, about the resource where one is named; False if the run ends before."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        for event in recorded(directory):
            if event["kind"] == kind and name in ("", event.get("id")):
                return True
            if event["kind"] == "end":
                return False
        time.sleep(0.01)
    raise AssertionError(f"no {kind} {name} within {patience:g} s")


def recorded(directory: Path) -> List[Dict[str, Any]]:
    """The events of the only run so far; a line that is still being written is left out."""
    texts = [path.read_text() for path in (directory / "state" / "skiff" / "runs").glob("*.jsonl")]
    return [json.loads(line) for text in texts for line in text.split("\n")[:-1]]
