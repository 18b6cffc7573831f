"""A run without changes asks systemd itself and remembers what rpm said; and sees all the same whatever was changed by hand."""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path

import pytest

from fleet.agent import manager, memory
from fleet.lab import Lab
from tests.lab.conftest import FreshHost
from tests.lab.suite import ROOT, Suite, changed, planned

ROLE = """\
from pathlib import Path
from fleet.checks import Check, Probe
from fleet.content import Content
from fleet.resources import Archive, File, Package, Repository, Selinux, Sysctl, Unit

UNIT = "[Service]\\nExecStart=/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n"
UNITS = "edited", "stopped", "disabled"

def resources(facts, variables):
    return [
        Repository("own", "Own", "file:///usr/share/lab/repository", gpgcheck=False),
        Package(("jq", "unzip")),
        Package(("wget",), state="absent"),
        Selinux("permissive"),
        Sysctl("99-own", {"net.ipv4.tcp_keepalive_time": "601"}),
        File("/etc/own.conf", Content.of(b"0123456789")),
        Archive("/opt/own", Content.from_file(Path(__file__).with_name("own.tar.gz"))),
        *(File(f"/etc/systemd/system/{name}.service", Content.of(UNIT.encode())) for name in UNITS),
        *(Unit(f"{name}.service", enabled=True, active=True) for name in UNITS),
    ]
"""
CHECKS = """\
from fleet.checks import Check, Probe

def probes(facts, variables):
    return [
        Probe("active", ("systemctl", "is-active", "stopped.service")),
        Probe("shown", ("systemctl", "show", "--property=ActiveState,UnitFileState", "stopped.service")),
    ]

def judge(facts, variables, outcomes):
    said = outcomes["active"].stdout + outcomes["shown"].stdout
    return [Check("It runs", said == "active\\nActiveState=active\\nUnitFileState=enabled\\n", said)]
"""
# Each notes that it was started, and is then what it was.
NOTE = (
    "mv {path} {path}.own; printf '#!/bin/sh\\necho %s >> /run/asked\\nexec {path}.own \"$@\"\\n' {name} > {path}; chmod 755 {path}"
)
BY_HAND = """
set -e
same() { cp -p "$1" /run/before; printf x | dd of="$1" bs=1 conv=notrunc status=none; touch -r /run/before "$1"; }
rpm -e --nodeps jq
rpm -i --nodeps --force-debian $(find /usr/share/lab/repository -name "wget-*.rpm")
sed -i s/permissive/enforcing/ /etc/selinux/config
sysctl -q net.ipv4.tcp_keepalive_time=602
same /etc/own.conf
same /opt/own/file
systemctl stop stopped
systemctl disable disabled
echo Description=edited >> /etc/systemd/system/edited.service
"""
ALL = """
import json, subprocess, sys
wanted = ["LoadState", "ActiveState", "SubState", "FragmentPath", "UnitFileState", "NeedDaemonReload"]
def said(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True).stdout
rows = said("systemctl", "list-unit-files", "--no-legend", "--no-pager").splitlines()
rows += said("systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager").splitlines()
names = [row.split()[0] for row in rows] + ["none.service", "user@7.service"]
names = [name for name in dict.fromkeys(names) if askable(name)]
with Manager(SOCKET) as first:
    told, disk = first.properties(names, wanted), first.on_disk(names)
blocks = said("systemctl", "show", "--no-pager", "-p", ",".join(wanted), *names).split("\\n\\n")
shown = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
known = [name for name, state in zip(names, disk) if state]
enabled = dict(zip(known, said("systemctl", "is-enabled", *known).split()))
enabled.update((name, said("systemctl", "is-enabled", name).strip()) for name in names if name not in enabled)
print(json.dumps([[name, *row] for name, *row in zip(names, told, shown, disk, map(enabled.get, names))]))
"""


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    role = tmp_path / "roles" / "own"
    role.mkdir(parents=True)
    (role / "role.py").write_text(ROLE)
    (role / "checks.py").write_text(CHECKS)
    with tarfile.open(role / "own.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("file")
        member.size = 10
        tar.addfile(member, io.BytesIO(b"0123456789"))
    return Suite(lab, tmp_path, ("--role-path", str(tmp_path / "roles"), "--roles", "own"))


def test_what_is_changed_by_hand_is_seen_by_a_run_that_asks_no_program(suite: Suite, lab: Lab, fresh_host: FreshHost) -> None:
    name = fresh_host().name
    for path in ("/usr/bin/rpm", "/usr/bin/systemctl"):
        lab.exec(name, ["sh", "-c", NOTE.format(path=path, name=Path(path).name)])
    first = suite.document("provision", name)
    assert first[name]["state"] == "changed", first
    time.sleep(memory.SETTLED)  # a database that was written to but now is not kept in mind
    assert suite.document("provision", name)[name]["state"] == "ok"
    lab.exec(name, ["rm", "/run/asked"])
    assert suite.document("provision", name)[name]["state"] == "ok"
    assert lab.exec(name, ["cat", "/run/asked"]).stdout == ""
    assert lab.exec(name, ["stat", "-c", "%a %U", f"/var/lib/skiff-agent/{memory.FILE}"]).stdout == "600 root\n"

    done = lab.exec(name, ["sh", "-c", BY_HAND])
    assert done.returncode == 0, done.stderr
    drift = {
        "package:present:jq,unzip",
        "package:absent:wget",
        "selinux",
        "sysctl:99-own",
        "file:/etc/own.conf",
        "archive:/opt/own",
    }
    drift |= {"file:/etc/systemd/system/edited.service"}
    drift |= {f"unit:{unit}.service" for unit in ("stopped", "disabled", "edited")}
    assert set(planned(suite.document("plan", name)[name])) == drift
    again = suite.document("provision", name)
    assert (again["status"], set(changed(again[name]))) == (0, drift)


def test_systemd_tells_what_systemctl_tells_of_every_unit(lab: Lab) -> None:
    script = (ROOT / "fleet" / "agent" / "manager.py").read_text() + ALL
    done = lab.exec("lab1", ["env", "LC_ALL=C.UTF-8", "python3", "-I", "-"], stdin=script)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) > 100
    for name, told, shown, disk, enabled in rows:
        assert told == shown, name
        assert (disk or "") == enabled, name
    assert manager.SOCKET == "/run/systemd/private"
