"""Pull mode on real hosts: a systemd timer, an HTTPS server with a CA of its own, a git repository; and its end."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from fleet.lab import Lab
from tests.forge import Forge, Proxy
from tests.lab.conftest import FreshHost
from tests.lab.digest import digest
from tests.lab.suite import Suite, own_roles
from tests.lab.test_plans import ask, differences, snapshot
from tests.site import Site

PATIENCE = 120  # seconds
SLOW = ("--every", "1h", "--jitter", "0s")
FAST = ("--every", "1s", "--jitter", "0s")
# What a pull keeps of its own doing.
OWN = {"/var/lib/skiff-agent/pull", "/var/lib/skiff-agent/pull/status.json"}
COMMIT = ("-c", "user.name=ann", "-c", "user.email=ann@control", "-c", "init.defaultBranch=main")


@pytest.fixture
def suite(lab: Lab, tmp_path: Path) -> Suite:
    made = Suite(lab, tmp_path)
    argv = made.argv("pull.key")
    subprocess.run(argv, check=True, env=made.env(), cwd=tmp_path)
    own_roles(tmp_path)
    return made


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    address = lab.status()[0].address.rpartition(".")[0] + ".1"
    serving = Site(address, tmp_path / "www", tmp_path / "certificates")
    yield serving
    serving.close()


def publish(suite: Suite, host: str, *words: str) -> Path:
    """Publishes the role of one's own for a host; its head."""
    roles = ("--role-path", str(suite.directory / "roles"), "--roles", "own")
    done = suite.run("pull.publish", host, "--out", str(suite.directory / "www"), *roles, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return suite.directory / "www" / "hosts" / host


def succeed(suite: Suite, task: str, host: str, *words: str) -> str:
    done = suite.run(task, host, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def status(suite: Suite, host: str) -> Dict[str, Any]:
    found: Dict[str, Any] = json.loads(suite.run("pull.status", host, "--json").stdout)[host]["pull"]
    return found


def await_text(lab: Lab, host: str, path: str, text: str) -> None:
    """Until a file on a host says this; nobody but its timer is at work there."""
    end = time.monotonic() + PATIENCE
    while lab.exec(host, ["cat", path]).stdout != text:
        assert time.monotonic() < end, lab.exec(host, ["journalctl", "-u", "skiff-pull", "--no-pager"]).stdout
        time.sleep(0.5)


def quiet(lab: Lab, host: str) -> None:
    """Stops the timer, and waits for the pull in hand."""
    state = "$(systemctl show -p ActiveState --value skiff-pull.service)"
    ask(lab, host, f'systemctl stop skiff-pull.timer; while [ "{state}" = activating ]; do sleep 0.1; done')


def fail(lab: Lab, host: str) -> str:
    """A pull that must fail; what the journal says of it."""
    since = ask(lab, host, "date +%s.%N").strip()
    assert lab.exec(host, ["systemctl", "start", "skiff-pull.service"]).returncode != 0
    assert lab.exec(host, ["systemctl", "is-failed", "skiff-pull.service"]).returncode == 0
    return ask(lab, host, f"journalctl -q -o cat -u skiff-pull.service --since @{since}")


def test_a_host_converges_by_its_timer_and_refuses_what_is_wrong(suite: Suite, lab: Lab, site: Site) -> None:
    succeed(suite, "facts", "lab1")
    first = publish(suite, "lab1").read_bytes()
    succeed(suite, "pull.install", "lab1", "--from", site.address, "--ca", str(site.ca), *FAST)
    await_text(lab, "lab1", "/var/lib/own/b", "hello from lab1\n")
    head = publish(suite, "lab1", "--set", "word=other")
    await_text(lab, "lab1", "/var/lib/own/b", "other from lab1\n")
    assert "lab1" in succeed(suite, "pull.status", "lab1")
    quiet(lab, "lab1")
    before = snapshot(lab, "lab1")
    good = head.read_bytes()
    head.write_bytes(good.replace(b'"serial": ', b'"serial": 9'))
    assert "the signature is wrong" in fail(lab, "lab1")
    told = suite.run("pull.status", "lab1")
    assert (told.returncode, "the signature is wrong" in told.stderr, "its timer is inactive" in told.stderr) == (2, True, True)
    head.write_bytes(first)
    assert "older than one that this host has taken" in fail(lab, "lab1")
    assert set(differences(before, snapshot(lab, "lab1"))) <= OWN
    succeed(suite, "pull.install", "lab1", "--from", site.address, "--ca", str(site.ca), *FAST, "--accept-older")
    await_text(lab, "lab1", "/var/lib/own/b", "hello from lab1\n")
    head.write_bytes(good)
    await_text(lab, "lab1", "/var/lib/own/b", "other from lab1\n")
    quiet(lab, "lab1")
    assert status(suite, "lab1")["result"] in ("changed", "unchanged")
    site.close()
    assert "Connection refused" in fail(lab, "lab1")
    assert status(suite, "lab1")["error"]["brief"].startswith(site.address)

    # What was pulled is known to every later run.
    roles = ("--role-path", str(suite.directory / "roles"), "--roles", "own", "--set", "word=other")
    assert "changed=0" in succeed(suite, "provision", "lab1", *roles)
    assert "/var/lib/own/b" in succeed(suite, "restore", "lab1", "--list")
    succeed(suite, "pull.remove", "lab1")
    gone = ("/etc/skiff-pull", "/usr/local/lib/skiff-pull", "/etc/systemd/system/skiff-pull.timer")
    assert [path for path in gone if lab.exec("lab1", ["test", "-e", path]).returncode == 0] == []
    assert lab.exec("lab1", ["systemctl", "is-active", "skiff-pull.timer"]).stdout.strip() == "inactive"
    assert ask(lab, "lab1", "cat /var/lib/own/b") == "other from lab1\n"
    absent = suite.run("pull.status", "lab1")
    assert (absent.returncode, "is not in pull mode" in absent.stderr) == (2, True)
    ask(lab, "lab1", "rm -rf /var/lib/own /var/lib/skiff-agent")


def send(lab: Lab, host: str, folder: Path, target: str) -> None:
    """Copies a directory to a host."""
    packed = subprocess.run(["tar", "-C", str(folder), "-c", "."], capture_output=True, check=True).stdout
    script = 'mkdir -p "$0"; base64 -d | tar -x --no-same-owner -C "$0"'
    done = lab.exec(host, ["sh", "-ec", script, target], base64.b64encode(packed).decode())
    assert done.returncode == 0, done.stderr


def install_git(lab: Lab, host: str, tmp_path: Path) -> str:
    """Puts this machine's git on a host; its path here."""
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "programs"
    folder.mkdir()
    transport = Path(
        subprocess.run([git, "--exec-path"], capture_output=True, text=True, check=True).stdout.strip(), "git-remote-https"
    )
    for name, source in (("git", git), ("git-upload-pack", git), ("git-remote-https", str(transport))):
        shutil.copyfile(source, folder / name)
        (folder / name).chmod(0o755)
    send(lab, host, folder, "/usr/local/bin")
    return git


def commit(repository: List[str]) -> None:
    """Commits all that is published; the first time, the repository begins."""
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "state"]):
        subprocess.run([*repository, *words], check=True)


def test_a_host_converges_from_git_and_is_given_back(suite: Suite, lab: Lab, fresh_host: FreshHost, tmp_path: Path) -> None:
    name = fresh_host().name
    succeed(suite, "facts", name)
    install = ("pull.install", name, "--from", "git+file:///srv/fleet", *FAST)
    refused = suite.run(*install)
    assert (refused.returncode, "install the package git" in refused.stdout) == (2, True)
    assert lab.exec(name, ["test", "-e", "/etc/skiff-pull"]).returncode == 1
    ask(lab, name, "rm -rf /var/lib/skiff-agent")
    git = install_git(lab, name, tmp_path)
    before = digest(lab, name)

    publish(suite, name)
    commit([git, *COMMIT, "-C", str(tmp_path / "www")])
    send(lab, name, tmp_path / "www" / ".git", "/srv/fleet")
    succeed(suite, *install)
    await_text(lab, name, "/var/lib/own/b", f"hello from {name}\n")
    ask(lab, name, "rm /var/lib/own/count")  # the command's own doing, of which no run knows
    given_back = suite.document("deprovision", name)
    assert (given_back["status"], given_back[name]["faults"]) == (0, [])
    ask(lab, name, "rm -rf /srv/fleet")
    after = digest(lab, name)
    assert (sorted(before - after), sorted(after - before)) == ([], [])


def test_a_host_pulls_by_ssh_and_by_https_through_a_proxy(suite: Suite, lab: Lab, fresh_host: FreshHost, tmp_path: Path) -> None:
    host = fresh_host()
    name, served = host.name, tmp_path / "served"
    git = install_git(lab, name, tmp_path)
    succeed(suite, "facts", name)
    publish(suite, name)
    repository = [git, *COMMIT, "-C", str(tmp_path / "www")]
    commit(repository)
    send(lab, name, tmp_path / "www" / ".git", "/srv/fleet")
    ask(lab, name, "ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")

    # An SSH server: its key has to be known, and root's has to be accepted there.
    succeed(suite, "pull.install", name, "--from", f"git+ssh://root@{host.address}/srv/fleet", *SLOW)
    quiet(lab, name)
    told = fail(lab, name)
    assert "Host key verification failed" in told
    assert "/root/.ssh/known_hosts" in told
    ask(lab, name, f"sed 's/^/{host.address} /' /etc/ssh/ssh_host_ed25519_key.pub > /root/.ssh/known_hosts")
    told = fail(lab, name)
    assert "Permission denied (" in told
    assert "let root's SSH key" in told
    ask(lab, name, "cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys")
    ask(lab, name, "systemctl start skiff-pull.service")
    assert ask(lab, name, "cat /var/lib/own/b") == f"hello from {name}\n"
    ask(
        lab, name, f"sed 's/^/{host.address} /' /root/.ssh/id_ed25519.pub > /root/.ssh/known_hosts"
    )  # another key than the server's
    assert "Host key verification failed" in fail(lab, name)

    # HTTPS with a CA of its own, by a proxy with a password: git's own way there, and an archive's.
    publish(suite, name, "--set", "word=other")
    commit(repository)
    subprocess.run([git, "clone", "--quiet", "--bare", str(tmp_path / "www"), str(served / "fleet.git")], check=True)
    gateway = host.address.rpartition(".")[0] + ".1"
    proxy, forge = Proxy(gateway, "ann:word"), Forge(gateway, served, tmp_path / "forge")
    site = Site(gateway, tmp_path / "www", tmp_path / "certificates")
    suite.environment = {"SKIFF_PULL_PROXY": proxy.address}
    try:
        for source, ca in ((f"git+{forge.address}/fleet.git", forge.ca), (site.address, site.ca)):
            words = ("--from", source, "--ca", str(ca), *SLOW)
            succeed(suite, "pull.install", name, *words)
            quiet(lab, name)
            ask(lab, name, "rm /var/lib/own/b; systemctl start skiff-pull.service")
            assert ask(lab, name, "cat /var/lib/own/b") == f"other from {name}\n"
        assert set(proxy.tunnels) == {f"{gateway}:{forge.port}", f"{gateway}:{site.port}"}
    finally:
        for server in (site, forge, proxy):
            server.close()
