"""The ways to a source: git over HTTPS with a CA of its own, and a proxy with a password before either kind of source."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from fleet.resources import File
from tests.forge import Forge, Proxy
from tests.site import Site
from tests.unit.agent.wanted import wire
from tests.unit.pull.host import PullingHost, content
from tests.unit.pull.test_repository import GIT, push

LOGIN = "ann:word"


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    serving = Forge("127.0.0.1", tmp_path, tmp_path / "forge")
    yield serving
    serving.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    serving = Proxy("127.0.0.1", LOGIN)
    yield serving
    serving.close()


@pytest.fixture
def cloned(tmp_path: Path, forge: Forge) -> PullingHost:
    """A host that pulls from the forge's only repository, for which nothing is published yet."""
    pulling = PullingHost(tmp_path, f"git+{forge.address}/repository.git", forge.ca.read_text())
    pulling.install(reference="main")
    subprocess.run([*GIT, "init", "--quiet", "--bare", tmp_path / "repository.git"], check=True)
    pulling.site.mkdir()
    subprocess.run([*GIT, "init", "--quiet", pulling.site], check=True)
    return pulling


def other(proxy: Proxy) -> str:
    """The proxy's address with a password that it does not take."""
    return proxy.address.replace(LOGIN, "ann:wrong")


def test_git_over_https_takes_only_a_server_that_the_ca_vouches_for(cloned: PullingHost, forge: Forge, root: Path) -> None:
    for text in ("first", "second"):
        cloned.publish([wire(File(str(root / "x"), content(text)))])
        push(cloned)
        done = cloned.pull()
        assert done.returncode == 0, done.stderr
        assert (root / "x").read_text() == text
    asked = len(forge.asked)
    assert cloned.pull().returncode == 0
    assert (cloned.status()["result"], cloned.status()["requests"]) == ("unchanged", 1)
    assert {path.partition("?")[0] for path in forge.asked[asked:]} <= {
        "/repository.git/info/refs",
        "/repository.git/git-upload-pack",
    }
    cloned.install(reference="main", ca="")
    told = cloned.refused()
    assert "certificate" in told
    assert "--ca FILE" in told


def test_git_goes_by_the_proxy(cloned: PullingHost, forge: Forge, proxy: Proxy, root: Path) -> None:
    cloned.publish([wire(File(str(root / "x"), content("x")))])
    push(cloned)
    cloned.install(reference="main", proxy=other(proxy))
    told = cloned.refused()
    assert "407" in told
    assert "--proxy" in told
    assert "ann:wrong" not in told
    cloned.install(reference="main", proxy=proxy.address)
    done = cloned.pull()
    assert done.returncode == 0, done.stderr
    assert set(proxy.tunnels) == {f"127.0.0.1:{forge.port}"}


def test_an_archive_is_had_by_the_proxy(host: PullingHost, site: Site, proxy: Proxy, root: Path) -> None:
    host.publish([wire(File(str(root / "x"), content("x")))])
    host.install(proxy=other(proxy))
    told = host.refused()
    assert "407" in told
    assert "--proxy" in told
    assert "ann:wrong" not in told
    assert site.answers == []
    host.install(proxy=proxy.address)
    done = host.pull()
    assert done.returncode == 0, done.stderr
    assert (root / "x").read_text() == "x"
    assert set(proxy.tunnels) == {f"127.0.0.1:{site.port}"}
    proxy.close()
    told = host.refused()
    assert "Connection refused" in told
    assert f"by the proxy 127.0.0.1:{proxy.port}" in told
    assert "word" not in told
