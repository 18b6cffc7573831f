"""Docker's own engine on real hosts: got through a proxy, pinned, reloaded, left and taken up again, sent as RPMs, cut.

The mirror's packages wrap the dockerd, containerd and runc of this machine (fleet/lab/docker.py).
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import List

import pytest

from fleet import probe_image
from fleet.lab import Lab, docker
from fleet.lab import lab as labs
from tests.lab.conftest import FreshHost
from tests.lab.mirror import OPTIONS, PASSWORD, Mirror
from tests.lab.suite import Suite, changed, planned

PARTS = "package:present:docker-ce,docker-ce-cli,containerd.io"
ENGINE = ("--set", "engine=docker-ce")
MIRROR = ("--set", 'registry_mirrors=["https://abc.mirror.aliyuncs.com"]')
UNITS = ("docker.service", "docker.socket", "containerd.service", "skiff.service")


@pytest.fixture
def suite(lab: Lab, tmp_path: Path, mirror: Mirror) -> Suite:
    return Suite(lab, tmp_path, OPTIONS, mirror.environment)


def ask(lab: Lab, host: str, *commands: str) -> str:
    """What commands of a shell on a host print; each has to end well."""
    done = lab.exec(host, ["sh", "-ec", "\n".join(commands)])
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def provisioned(suite: Suite, host: str, *words: str) -> List[str]:
    """What a run changed; then a second one changes nothing."""
    outcome = suite.document("provision", host, *words)
    assert (outcome["status"], outcome[host]["faults"]) == (0, []), outcome[host]
    assert [check for check in outcome[host]["checks"] if not check["passed"]] == []
    again = suite.document("provision", host, *words)
    assert (again["status"], changed(again[host])) == (0, []), again[host]
    return changed(outcome[host])


def states(lab: Lab, host: str) -> List[str]:
    return ask(lab, host, f"systemctl is-active {' '.join(UNITS)} || true").split()


def pid(lab: Lab, host: str) -> str:
    return ask(lab, host, "systemctl show --property=MainPID --value docker")


def load(lab: Lab, host: str, command: str, directory: Path) -> None:
    image = probe_image.build(report=lambda _: None, root=directory)
    with image.open("rb") as stream:
        subprocess.run([*lab.ssh_argv(host), f"{command} load"], stdin=stream, stdout=subprocess.DEVNULL, check=True)


def run(lab: Lab, host: str, command: str, name: str, *words: str) -> None:
    ask(lab, host, f"{command} run --name {name} --network none {' '.join(words)} {probe_image.REFERENCE} sleep 1000")


def test_docker_s_engine_through_a_proxy_pinned_reloaded_restarted(
    suite: Suite, lab: Lab, mirror: Mirror, fresh_host: FreshHost
) -> None:
    host, (older, newer) = fresh_host().name, docker.versions()
    words = [*ENGINE, "--set", f"docker_version={older}", "--set", "docker_users=[admin]", "--set", "no_proxy=[.lab]"]
    words += ["--set", "https_proxy={secret: {env: LAB_PROXY}}"]
    plan = suite.document("plan", host, *words)
    assert (plan["status"], plan[host]["state"]) == (0, "changed")
    assert provisioned(suite, host, *words) == planned(plan[host])
    verified = suite.document("verify", host, *words)
    assert (verified["status"], planned(verified[host])) == (0, [])
    titles = {check["title"] for check in verified[host]["checks"] if check["passed"]}
    assert {"A container runs", "Its memory limit is enforced", "The engine warns of nothing else"} <= titles
    assert older in Suite(lab, suite.directory).run("version", host).stdout
    # The password was needed, is root's alone, and told to nobody.
    assert mirror.refused
    assert any(path.endswith(f"/docker-ce-{older}-1.el9.x86_64.rpm") for path in mirror.asked)
    assert any(path == "/linux/centos/gpg" for path in mirror.asked)
    files = "/etc/yum.repos.d/docker-ce.repo /etc/docker/skiff-proxies"
    assert ask(lab, host, f"stat -c '%a %U' {files}") == "600 root\n600 root"
    assert PASSWORD not in ask(lab, host, "systemctl show docker; systemctl cat docker; journalctl -q --no-pager")
    assert PASSWORD not in "".join(path.read_text() for path in (suite.directory / "state").rglob("*.jsonl"))
    environment = ask(lab, host, f"tr '\\0' '\\n' </proc/{pid(lab, host)}/environ")
    assert {f"HTTPS_PROXY={mirror.proxy}", "NO_PROXY=.lab"} <= set(environment.splitlines())
    ask(lab, host, "su admin -c 'docker ps'", "rpm -q gpg-pubkey")
    # What dockerd takes up by itself is reloaded; all else restarts it.
    first = pid(lab, host)
    assert provisioned(suite, host, *words, *MIRROR) == ["file:/etc/docker/daemon.json", "unit:docker.service"]
    assert pid(lab, host) == first
    assert "Reloaded configuration" in ask(lab, host, "journalctl -q --no-pager -u docker")
    assert "https://abc.mirror.aliyuncs.com/" in ask(lab, host, "docker info")
    words += [*MIRROR, "--set", "daemon_options={live-restore: true, log-opts: {max-size: 10m}}"]
    assert provisioned(suite, host, *words) == ["file:/etc/docker/daemon.json", "unit:docker.service"]
    assert pid(lab, host) != first
    # Another version takes the place of the pinned one.
    newest = [word.replace(older, newer) for word in words]
    assert provisioned(suite, host, *newest) == [PARTS, "unit:docker.service"]
    assert json.loads(ask(lab, host, "docker version --format '{{json .Server.Version}}'")).startswith(newer)
    bad = suite.document("plan", host, *ENGINE, "--set", "docker_version=99.0.0")
    assert bad["status"] == 2
    assert "no enabled repository has docker-ce-99.0.0" in bad[host]["faults"][0]["brief"]


def test_a_host_changes_its_engine_and_back(suite: Suite, lab: Lab, fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host().name
    compat, stop = ("--set", "docker_compat=true"), ("--set", "engine_switch=stop")
    provisioned(suite, host, *compat)
    load(lab, host, "skiff", tmp_path)
    run(lab, host, "skiff", "ours", "--detach")
    refused = suite.document("provision", host, *ENGINE)
    assert (refused["status"], changed(refused[host])) == (2, [])
    assert [fault["brief"] for fault in refused[host]["faults"]] == ["skiff runs containers on this host: ours"]
    assert states(lab, host) == ["active", "inactive", "inactive", "active"]
    ask(lab, host, "skiff stop --time 1 ours")
    plan = suite.document("plan", host, *ENGINE)
    (told,) = [change["summary"] for change in plan[host]["plan"]["changes"] if change["id"] == "departure:skiff"]
    assert told == "leave skiff: stop, disable docker.service, skiff.service; stopped ones stay: ours"
    assert "departure:skiff" in provisioned(suite, host, *ENGINE)
    assert states(lab, host) == ["active", "active", "active", "inactive"]
    assert ask(lab, host, "readlink -f /proc/$(systemctl show --property=MainPID --value docker)/exe") == "/usr/bin/dockerd"
    assert not {"docker", "docker.service"} & set(ask(lab, host, "ls /usr/local/bin /etc/systemd/system").split("\n"))
    # And back, with a container of Docker's at work, which has to be stopped.
    asking, image = Suite(lab, tmp_path), ("--file", str(probe_image.build(report=lambda _: None, root=tmp_path)))
    assert changed(asking.document("images.push", host, *image)[host]) == [f"images:{Path(image[1]).name}"]
    assert asking.document("images.push", host, *image)[host]["state"] == "ok"
    run(lab, host, "docker", "theirs", "--detach", "--stop-timeout 1")
    (container,) = json.loads(asking.run("ps", host, "--json").stdout)[host]["containers"]
    assert (container["names"], container["command"]) == (["theirs"], "sleep 1000")
    assert [json.loads(asking.run("logs", host, name, "--json").stdout)[host]["lines"] for name in ("theirs", "nix")] == [[], None]
    refused = suite.document("provision", host, *compat)
    assert [fault["brief"] for fault in refused[host]["faults"]] == ["docker-ce runs containers on this host: theirs"]
    assert "departure:docker-ce" in provisioned(suite, host, *compat, *stop)
    assert states(lab, host) == ["active", "inactive", "inactive", "active"]
    assert "Server: Skiff" in ask(lab, host, "/usr/bin/docker version")
    assert "ours" in ask(lab, host, "skiff ps --all")
    # Docker's names given up, its engine stays at rest; nothing that it kept is lost.
    provisioned(suite, host)
    assert states(lab, host) == ["inactive", "inactive", "inactive", "active"]
    provisioned(suite, host, *ENGINE)
    assert "theirs" in ask(lab, host, "docker ps --all")


def test_an_old_release_is_sent_its_packages(lab: Lab, docker_packages: Path, tmp_path: Path, fresh_host: FreshHost) -> None:
    """Release 7 with Python 3.6, no repository to be had, killed halfway through the transaction."""
    stable = docker.repository(labs.STATE / "cache", "el7") / "linux/centos/7/x86_64/stable"
    host, (_, newer) = fresh_host("el7").name, docker.versions()
    suite = Suite(lab, tmp_path, (*ENGINE, "--set", f"docker_rpms={stable}", "--set", f"docker_version={newer}"))
    assert suite.document("provision", host, "--roles", "preflight")["status"] == 0  # its own Python, from its own repository
    ask(lab, host, "rm /etc/yum.repos.d/*")
    environment = suite.env()
    argv = suite.argv("provision", "--hosts", host, "--inventory", str(lab.inventory))
    with subprocess.Popen(argv, env=environment, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        end = time.monotonic() + 120
        while lab.exec(host, ["test", "-s", "/var/lib/skiff-agent/transaction.log"]).returncode and time.monotonic() < end:
            assert running.poll() is None
            time.sleep(0.05)
        lab.exec(host, ["sh", "-c", "pkill -KILL -f skiff-agent; pkill -KILL -f 'dnf.*install'"])
        running.send_signal(signal.SIGKILL)
    plan = suite.document("plan", host)
    assert "unit:docker.service" in planned(plan[host]), plan[host]
    provisioned(suite, host)
    assert ask(lab, host, "rpm -q docker-ce") == f"docker-ce-{newer}-1.el7.x86_64"
    assert states(lab, host)[:3] == ["active", "active", "active"]
    assert ask(lab, host, "ls -A /var/lib/skiff-agent/spool") == ""
