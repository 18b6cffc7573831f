"""States from a git repository: the same states, verified alike; unchanged is one question for the last commit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fleet.resources import File
from tests.unit.agent.wanted import wire
from tests.unit.pull.host import PullingHost, content

GIT = ("git", "-c", "user.name=ann", "-c", "user.email=ann@control", "-c", "init.defaultBranch=main")


@pytest.fixture
def host(tmp_path: Path) -> PullingHost:
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    pulling = PullingHost(tmp_path, f"git+file://{tmp_path}/repository.git")
    pulling.install(reference="main")
    subprocess.run([*GIT, "init", "--quiet", "--bare", tmp_path / "repository.git"], check=True)
    pulling.site.mkdir()
    subprocess.run([*GIT, "init", "--quiet", pulling.site], check=True)
    return pulling


def push(host: PullingHost, branch: str = "main") -> None:
    where = (*GIT, "-C", str(host.site))
    subprocess.run([*where, "add", "--all"], check=True)
    subprocess.run([*where, "commit", "--quiet", "--message", "state"], check=True)
    subprocess.run([*where, "push", "--quiet", "--force", str(host.root / "repository.git"), f"HEAD:{branch}"], check=True)


def test_a_host_converges_from_a_repository_and_asks_once_where_nothing_changed(host: PullingHost, tmp_path: Path) -> None:
    target = tmp_path / "x"
    for text in ("first", "second"):
        host.publish([wire(File(str(target), content(text)))])
        push(host)
        done = host.pull()
        assert done.returncode == 0, done.stderr
        assert target.read_text() == text
        assert host.pull().returncode == 0
        assert (host.status()["result"], host.status()["requests"]) == ("unchanged", 1)
    target.unlink()
    assert host.pull().returncode == 0, "contents are in the repository that is kept"
    assert target.read_text() == "second"


def test_a_forged_commit_changes_nothing(host: PullingHost, tmp_path: Path) -> None:
    target = tmp_path / "x"
    path = host.publish([wire(File(str(target), content("good")))])
    push(host)
    assert host.pull().returncode == 0
    path.write_bytes(path.read_bytes().replace(b"ann@control", b"eve@control"))
    push(host)
    assert "the signature is wrong" in host.refused()
    path.unlink()
    path.symlink_to("/etc/passwd")
    push(host)
    assert "what the source gave is no signed state" in host.refused()
    assert target.read_text() == "good"


def test_what_is_not_there_is_named(host: PullingHost, tmp_path: Path) -> None:
    host.publish([wire(File(str(tmp_path / "x"), content("x")))])
    push(host, "other")
    assert "has no branch main" in host.refused()
    (host.site / "hosts" / "web1").unlink()
    push(host)
    assert "has no hosts/web1 in its branch main" in host.refused()
    shutil.rmtree(tmp_path / "repository.git")
    assert "cannot be fetched from" in host.refused()


def test_a_name_in_the_address_is_no_cause(tmp_path: Path) -> None:
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    pulling = PullingHost(tmp_path, f"git+file://{tmp_path}/proxy-certificates.git")
    for proxy in ("", "http://127.0.0.1:3128"):
        pulling.install(reference="main", proxy=proxy)
        told = pulling.refused()
        assert "proxy-certificates.git' does not appear to be a git repository" in told
        assert "see that the repository can be reached" in told
