"""The kinds that write to the host's fixed places, in a mount and network namespace with scratch directories laid over them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

from fleet.resources import File, Group, Module, Repository, Selinux, Sysctl, User
from tests.unit.agent.driver import Session
from tests.unit.agent.fakes import HEAD, FakeHost
from tests.unit.agent.wanted import content, wire

PLACES = {
    "/etc/sysctl.d": "sysctl.d",
    "/etc/modules-load.d": "modules-load.d",
    "/etc/selinux": "selinux",
    "/sys/fs": "sysfs",
    "/boot": "boot",
}
SETENFORCE = """
words = sys.argv[1:]
open("/sys/fs/selinux/enforce", "w").write(words[0])
"""
GRUBBY = """
if "--info=ALL" in sys.argv:
    print("\\n".join('index=%d\\nkernel="/boot/vmlinuz"\\nargs="%s"' % pair for pair in enumerate(state["entries"])))
else:
    with_it = "--args" in sys.argv
    state["entries"] = [entry.replace(" selinux=0", "") + (" selinux=0" if with_it else "") for entry in state["entries"]]
    save()
"""


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    host = FakeHost(tmp_path)
    for name, body in {"setenforce": SETENFORCE, "grubby": GRUBBY}.items():
        program = host.bin / name
        program.write_text(HEAD.format(python=os.path.realpath("/proc/self/exe"), folder=str(host.folder)) + body)
        program.chmod(0o755)
    host.update(entries=["ro quiet", "ro rescue"])
    return host


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """Where the scratch directories are; /etc/selinux and /etc/yum.repos.d need not be on this machine."""
    scratch = tmp_path / "places"
    for name in [*PLACES.values(), "yum.repos.d", "sysfs/selinux", "boot/loader/entries"]:
        (scratch / name).mkdir(parents=True)
    return scratch


@pytest.fixture
def session(tmp_path: Path, host: FakeHost, places: Path) -> Session:
    session = Session(tmp_path, path=host.path)
    etc = tmp_path / "etc"
    mounts = [
        f"mkdir -p {etc}/upper {etc}/work",
        f"mount -t overlay -o lowerdir=/etc,upperdir={etc}/upper,workdir={etc}/work overlay /etc",
        "mkdir -p /etc/selinux /etc/yum.repos.d",
        f"mount --bind {places}/yum.repos.d /etc/yum.repos.d",
        *(f"mount --bind {places}/{name} {target}" for target, name in PLACES.items()),
    ]
    session.within = ("unshare", "-m", "-n", "sh", "-e", "-c", "; ".join(mounts) + '; exec "$@"', "sh")
    return session


def briefs(session: Session, *resources: Dict[str, Any]) -> List[str]:
    return [error["error"]["brief"] for error in session.check(list(resources))["errors"]]


def test_sysctl_file_and_live_value(session: Session, places: Path) -> None:
    wanted = [wire(Sysctl("99-x", {"net.ipv4.ip_default_ttl": "65", "net/ipv4/ip_local_port_range": "40000  50000"}))]
    _, results, _ = session.apply(wanted)
    assert results[0]["summary"] == "set net.ipv4.ip_default_ttl, net/ipv4/ip_local_port_range"
    assert "net.ipv4.ip_default_ttl: 64 -> 65\n" in results[0]["diff"]
    assert (places / "sysctl.d" / "99-x.conf").read_text().startswith("net.ipv4.ip_default_ttl = 65\n")


def test_sysctl_refusals(session: Session, places: Path) -> None:
    assert briefs(session, wire(Sysctl("x", {"net.ipv4.no_such": "1"}))) == ["this kernel has no parameter net.ipv4.no_such"]
    _, results, _ = session.apply([wire(Sysctl("x", {"net.ipv4.ip_default_ttl": "999"}))])
    assert results[0]["error"]["brief"] == "this kernel refuses net.ipv4.ip_default_ttl = 999"
    assert not (places / "sysctl.d" / "x.conf").exists()


def test_sysctl_tells_the_file_that_would_undo_it(session: Session, places: Path) -> None:
    (places / "sysctl.d" / "99-zz.conf").write_text("# comment\n-net/ipv4/ip_forward=0\n")
    plan = session.check([wire(Sysctl("99-x", {"net.ipv4.ip_forward": "1"}))])
    assert plan["errors"][0]["error"]["details"] == "/etc/sysctl.d/99-zz.conf: net.ipv4.ip_forward = 0"
    (places / "sysctl.d" / "99-zz.conf").rename(places / "sysctl.d" / "10-early.conf")
    assert session.check([wire(Sysctl("99-x", {"net.ipv4.ip_forward": "1"}))])["errors"] == []


def test_a_module_that_no_kernel_has(session: Session) -> None:
    assert briefs(session, wire(Module("no_such_module"))) == ["this kernel has no module no_such_module"]


def test_module_that_is_there_is_named_for_the_next_boot(session: Session, places: Path) -> None:
    wanted = [wire(Module("overlay"))]
    session.apply(wanted)
    assert (places / "modules-load.d" / "skiff-overlay.conf").read_text() == "overlay\n"
    assert session.check(wanted)["changes"] == []


def test_repository_is_taken_over_only_when_it_answers(session: Session, places: Path) -> None:
    path = places / "yum.repos.d" / "x.repo"
    good = Repository("x", "The X", "https://good/$basearch", "https://good/key", options={"priority": "5"})
    session.apply([wire(good)])
    text = "[x]\nname=The X\nbaseurl=https://good/$basearch\nenabled=1\ngpgcheck=1\ngpgkey=https://good/key\npriority=5\n"
    assert path.read_text() == text
    assert session.check([wire(good)])["changes"] == []
    _, results, _ = session.apply([wire(Repository("x", baseurl="https://unreachable/", gpgcheck=False))])
    assert results[0]["error"]["brief"] == "the metadata of repository x cannot be fetched"
    assert path.read_text() == text
    _, results, _ = session.apply([wire(Repository("x", baseurl="https://good/", gpgkey="file:///bad"))])
    assert results[0]["error"]["brief"] == "the signing key file:///bad cannot be imported"
    assert path.read_text() == text
    session.apply([wire(Repository("x", state="absent"))])
    assert not path.exists()


def test_accounts(session: Session, places: Path) -> None:
    resources = [
        wire(Group("skifftest", system=True)),
        wire(User("skiffuser", group="skifftest", groups=("daemon",), home="/nowhere", shell="/bin/false", system=True)),
        wire(File(str(places / "owned"), content("x"), owner="skiffuser", group="skifftest")),
    ]
    plan, results, _ = session.apply(resources)
    assert plan["errors"] == []
    assert [result["status"] for result in results] == ["changed"] * 3
    assert (places / "owned").stat().st_uid != 0


def test_accounts_converge_and_go(session: Session, tmp_path: Path) -> None:
    lines = {"passwd": "skiffuser:x:7001:7001::/old:/bin/sh\n", "group": "skifftest:x:7001:\nextra:x:7002:\n"}
    lay = "; ".join(f"grep -q skiff /etc/{name} || printf %s '{text}' >> /etc/{name}" for name, text in lines.items())
    session.within = [*session.within[:-2], session.within[-2].replace("; exec", f"; {lay}; exec"), session.within[-1]]
    user = User("skiffuser", uid=7001, group="skifftest", groups=("extra",), home="/new")
    plan = session.check([wire(user), wire(Group("skifftest", gid=7001))])
    assert [change["summary"] for change in plan["changes"]] == ["update home, groups of user skiffuser"]
    _, results, _ = session.apply(
        [wire(user), wire(User("skiffuser", state="absent"), role="2"), wire(Group("extra", state="absent"))]
    )
    assert [(result["status"], result["error"]) for result in results] == [("changed", None)] * 3


def test_members_come_and_whom_skiff_put_in_goes_again(session: Session) -> None:
    before = session.within

    def members(names: str) -> None:
        lay = f"grep -q skifftest /etc/group || echo skifftest:x:7001:{names} >> /etc/group"
        session.within = [*before[:-2], before[-2].replace("; exec", f"; {lay}; exec"), before[-1]]

    members("root")
    _, (result,), _ = session.apply([wire(Group("skifftest", members=("root", "daemon")))])
    assert (result["status"], result["summary"]) == ("changed", "update group skifftest: add daemon"), result["error"]
    members("root,daemon")
    undo = {"what": "deprovision", "force": False, "purge": False, "clients": {}}
    results = session.run("apply", [], undo=undo).of_type("result")
    (result,) = [one for one in results if one["id"].startswith("undo:group:")]
    assert (result["status"], result["diff"]) == ("changed", "daemon in group skifftest: there -> absent\n"), result["error"]


def selinux(places: Path, now: str, written: str) -> None:
    (places / "sysfs" / "selinux" / "enforce").write_text(now)
    (places / "selinux" / "config").write_text(f"# SELINUX= can be\nSELINUX={written}\nSELINUXTYPE=targeted\n")


def written(places: Path) -> List[str]:
    return re.findall("^SELINUX=(.*)$", (places / "selinux" / "config").read_text(), re.MULTILINE)


def test_selinux_permissive_now_and_in_its_file(session: Session, places: Path) -> None:
    selinux(places, "1", "enforcing")
    wanted = [wire(Selinux("permissive"))]
    _, results, done = session.apply(wanted)
    assert results[0]["diff"] == "SELinux now: enforcing -> permissive\nSELinux in its file: enforcing -> permissive\n"
    assert (places / "sysfs" / "selinux" / "enforce").read_text() == "0"
    assert written(places) == ["permissive"]
    assert done["reboot"] == []
    assert session.check(wanted)["changes"] == []


def test_selinux_disabled_goes_the_whole_way_and_says_reboot(session: Session, places: Path, host: FakeHost) -> None:
    selinux(places, "1", "enforcing")
    wanted = [wire(Selinux("disabled"))]
    _, results, done = session.apply(wanted)
    assert results[0]["summary"] == "SELinux disabled: now, in its file, in the kernel's arguments"
    assert host.state["entries"] == ["ro quiet selinux=0", "ro rescue selinux=0"]
    assert written(places) == ["disabled"]
    assert done["reboot"] == ["SELinux stays on until this host is started anew"]
    plan, _, done = session.apply(wanted)
    assert plan["changes"] == []
    assert done["reboot"] == ["SELinux stays on until this host is started anew"]
    (places / "boot" / "loader" / "entries" / "x.conf").write_text("options ro quiet selinux=0\n")
    _, results, _ = session.apply([wire(Selinux("enforcing"))])
    assert host.state["entries"] == ["ro quiet", "ro rescue"]
    assert written(places) == ["enforcing"]
    assert (places / "sysfs" / "selinux" / "enforce").read_text() == "1"


def test_selinux_without_its_file(session: Session, places: Path) -> None:
    assert briefs(session, wire(Selinux("permissive"))) == ["there is no /etc/selinux/config"]
    assert briefs(session, wire(Selinux("disabled"))) == []
