"""Programs of a host that the agent finds on its PATH: they keep their state in a file, and note every call."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict, List

HEAD = """#!{python} -IS
import json, os, sys
FOLDER = {folder!r}
STATE = os.path.join(FOLDER, "rpmdb", "state.json")
with open(os.path.join(FOLDER, "calls"), "a") as stream:
    stream.write(json.dumps([os.path.basename(sys.argv[0])] + sys.argv[1:]) + "\\n")
with open(os.path.join(FOLDER, "proxies"), "a") as stream:
    stream.write(os.environ.get("https_proxy", "") + "\\n")
state = json.load(open(STATE))
def save():
    with open(STATE + ".new", "w") as stream:
        json.dump(state, stream)
    os.rename(STATE + ".new", STATE)
words = [word for word in sys.argv[1:] if not word.startswith("-")]
"""

SYSTEMCTL = """
verb, names = words[0], words[1:]
units = state["units"]
ABSENT = {"LoadState": "not-found", "ActiveState": "inactive", "UnitFileState": "", "NeedDaemonReload": "no"}
if verb == "show":
    names = names[1:]  # the value of -p
    print("\\n\\n".join("\\n".join("%s=%s" % pair for pair in units.get(name, ABSENT).items()) for name in names))
    sys.exit(0)
if verb == "is-enabled":
    print("\\n".join(units[name]["UnitFileState"] for name in names))
    sys.exit(0 if all(units[name]["UnitFileState"] == "enabled" for name in names) else 1)
if verb == "daemon-reload":
    for unit in units.values():
        unit["NeedDaemonReload"] = "no"
for name in names:
    unit = units.setdefault(name, dict(ABSENT))
    if verb in ("start", "restart") and name in state["broken"]:
        unit["ActiveState"] = "failed"
        save()
        sys.exit("Job for %s failed because the control process exited with error code." % name)
    if verb in ("start", "restart") and name in state["short_lived"]:
        unit.update(ActiveState="activating", SubState="auto-restart")
    elif verb in ("start", "restart"):
        unit.update(ActiveState="active", SubState="running")
    if verb == "stop":
        unit["ActiveState"] = "inactive"
    if verb in ("enable", "disable", "mask", "unmask"):
        unit["UnitFileState"] = {"enable": "enabled", "disable": "disabled", "mask": "masked", "unmask": "disabled"}[verb]
        if unit["LoadState"] != "not-found":
            unit["LoadState"] = "masked" if verb == "mask" else "loaded"
save()
"""

RPM = """
installed = state["installed"]
installed_at = {name: 1 for name in installed}
if "-l" in sys.argv or "--import" in sys.argv:
    sys.exit("bad" in sys.argv[-1])
if "-a" in sys.argv:
    print("\\n".join("%s %d" % pair for pair in installed_at.items()))
    sys.exit(0)
if "--test" in sys.argv:
    kept = [(name, state["required"][name]) for name in words if name in state["required"]]
    sys.stderr.write("".join("\\t%s is needed by (installed) %s\\n" % pair for pair in kept))
    sys.exit(1 if kept else 0)
names = words[1:] if "--qf" in sys.argv else words
if "--eval" in sys.argv:
    print(os.path.dirname(STATE))
    names.remove("%{_dbpath}")
missing = 0
for name in names:
    if name in installed:
        print("%s\t%s" % (name, state["versions"].get(name, "1-1")))
    else:
        missing += 1
        print("no package provides %s" % name)
sys.exit(missing)
"""

DNF = """
verb, names = words[0], words[1:]
if state["dnf_locked"]:
    state["dnf_locked"] -= 1
    save()
    sys.stderr.write("metadata already locked by 609\\n  The application with PID 609 is: sleep\\n")
    sys.exit(200)
if verb == "makecache":
    folder = [word.partition("reposdir=")[2] for word in sys.argv if "reposdir=" in word][0]
    name = [word.partition("=")[2] for word in sys.argv if word.startswith("--enablerepo=")][0]
    text = open(os.path.join(folder, name + ".repo")).read()
    sys.exit("Error: Failed to download metadata for repo" if "unreachable" in text else 0)
for folder in [word.partition("reposdir=")[2] for word in sys.argv if "reposdir=" in word]:
    for name in os.listdir(folder):  # a repository names its packages in a comment
        state["available"].update(dict.fromkeys(open(os.path.join(folder, name)).read().partition("# has ")[2].split(), []))
if "--cacheonly" in sys.argv and not state["cached"]:
    sys.exit("Error: Cache-only enabled but no cache for 'repo'")
pins = {}
for number, name in enumerate(names):
    if name.endswith(".rpm"):  # the file says which package it is
        names[number], pins[names[number]] = name, version = open(name).read().split()
        state["available"].setdefault(name, [])
    known, _, version = name.rpartition("-")
    if known in state["offered"]:
        names[number], pins[known] = known, version
if any(version not in state["offered"].get(name, [version]) for name, version in pins.items()):
    print("No match for argument: " + "-".join(list(pins.items())[0]))
    sys.exit("Error: Unable to find a match")
unknown = [name for name in names if verb == "install" and name not in state["available"]]
if unknown:
    print("\\n".join("No match for argument: %s" % name for name in unknown))
    sys.exit("Error: Unable to find a match: %s" % " ".join(unknown))
rows = list(names)
for name in names:
    rows += state["available"].get(name, []) if verb == "install" else []
for name in rows:
    print(" %s      x86_64      1-1      repo      12 k" % name)
if "--assumeno" in sys.argv:
    sys.exit("Operation aborted.")
asked = "-y" not in sys.argv and not (state["assumes_yes"] and "--setopt=assumeyes=0" not in sys.argv)
if asked:
    print("Is this ok [y/N]: ", end="", flush=True)
    if sys.stdin.readline() != "y\\n":
        sys.exit("Operation aborted.")
    state = json.load(open(STATE))
if state["dnf_fails"]:
    sys.exit("Error: Transaction test error: conflict")
for name in rows:
    if verb == "install" and name not in state["installed"]:
        state["installed"].append(name)
    older = pins.get(name, "9") < state["versions"].get(name, "")
    if name in pins and (verb == "downgrade" or not older or not state["forward_only"]):
        state["versions"][name] = pins[name] + ("" if "-" in pins[name] else "-1")
    if verb == "remove":
        state["installed"].remove(name)
save()
"""

DOCKER = """
if words[0] == "stop":
    for row in state["containers"]:
        if row["Names"] in words:
            row["Status"] = "Exited (137)"
    save()
elif state["mute"]:
    sys.exit("Cannot connect to the Docker daemon")
else:
    print("\\n".join(map(json.dumps, state["containers"])))
"""

PROGRAMS = {"systemctl": SYSTEMCTL, "rpm": RPM, "dnf": DNF, "docker": DOCKER, "journalctl": "print('its last words')"}


class FakeHost:
    """The programs, in a directory for PATH, and their state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "host"
        self.bin = self.folder / "bin"
        self.bin.mkdir(parents=True)
        (self.folder / "rpmdb").mkdir()
        self.update(units={}, broken=[], short_lived=[], containers=[], mute=False, required={})
        self.update(installed=[], versions={}, available={}, offered={}, forward_only=False)
        self.update(cached=False, dnf_locked=0, dnf_fails=False, assumes_yes=False)
        for name, body in PROGRAMS.items():
            program = self.bin / name
            program.write_text(HEAD.format(python=sys.executable, folder=str(self.folder)) + body)
            program.chmod(0o755)

    @property
    def path(self) -> str:
        """A PATH with these programs first."""
        return f"{self.bin}:/usr/sbin:/usr/bin:/sbin:/bin"

    @property
    def state(self) -> Dict[str, Any]:
        found: Dict[str, Any] = json.loads(self.database.read_text())
        return found

    @property
    def database(self) -> Path:
        """The file that all of it is in."""
        return self.folder / "rpmdb" / "state.json"

    def update(self, **fields: Any) -> None:
        path = self.database
        old = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**old, **fields}))

    def unit(self, name: str, active: str = "inactive", enabled: str = "disabled", **fields: str) -> None:
        """An installed unit."""
        there = {"LoadState": "loaded", "ActiveState": active, "UnitFileState": enabled, "NeedDaemonReload": "no", **fields}
        self.update(units={**self.state["units"], name: there})

    def calls(self) -> List[List[str]]:
        """Every call since the last time, as argument lists."""
        log = self.folder / "calls"
        if not log.exists():
            return []
        found = [json.loads(line) for line in log.read_text().splitlines()]
        log.unlink()
        return found
