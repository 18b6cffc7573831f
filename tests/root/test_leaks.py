"""The look for what a test left behind: it sees each kind, and it follows every test here."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Callable, Iterator

import pytest

from skiff.cgroup import hierarchy
from skiff.cgroup.place import SLICE
from skiff.linux import mounts
from tests.root.conftest import leaving_nothing


def run(*command: str) -> None:
    subprocess.run(command, check=True)


@contextlib.contextmanager
def second_mount(path: Path, _prefix: str) -> Iterator[None]:
    """Over one that was there before."""
    mounts.mount(b"tmpfs", os.fsencode(path), b"tmpfs", 0, b"size=4k")
    yield
    mounts.unmount(os.fsencode(path))


@contextlib.contextmanager
def link(_path: Path, _prefix: str) -> Iterator[None]:
    run("ip", "link", "add", "left0", "type", "veth", "peer", "name", "left1")
    yield
    run("ip", "link", "del", "left0")


@contextlib.contextmanager
def netns(_path: Path, prefix: str) -> Iterator[None]:
    name = prefix.strip("/")
    run("ip", "netns", "add", name)
    yield
    run("ip", "netns", "del", name)


@contextlib.contextmanager
def child(_path: Path, _prefix: str) -> Iterator[None]:
    """An orphan's, which has come to us."""
    pid = int(subprocess.run(["sh", "-c", "sleep 100 >/dev/null 2>&1 & echo $!"], capture_output=True, check=True).stdout)
    yield
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def cgroup_at(place: str) -> Callable[[Path, str], contextlib.AbstractContextManager[None]]:
    @contextlib.contextmanager
    def made(_path: Path, prefix: str) -> Iterator[None]:
        layout = hierarchy.discover()
        group = Path((layout.hierarchies[0].directory if layout.hierarchies else layout.unified) + place.format(prefix=prefix))
        group.mkdir(parents=True)
        yield
        group.rmdir()

    return made


KINDS = {
    "mounts": second_mount,
    "links": link,
    "netns": netns,
    "children": child,
    "cgroups": cgroup_at("{prefix}/left"),
    "cgroups: of the default place": cgroup_at(SLICE + "{prefix}"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_is_seen(tmp_path: Path, cgroup_prefix: str, kind: str) -> None:
    mounts.mount(b"tmpfs", os.fsencode(tmp_path), b"tmpfs", 0, b"size=4k")
    with contextlib.ExitStack() as held:
        held.callback(mounts.unmount, os.fsencode(tmp_path))
        with (
            pytest.raises(AssertionError, match=rf"the test left behind .*'{kind.partition(':')[0]}: "),
            leaving_nothing(cgroup_prefix, 0),
        ):
            held.enter_context(KINDS[kind](tmp_path, cgroup_prefix))


def test_it_follows_every_test(request: pytest.FixtureRequest) -> None:
    items = [item for item in request.session.items if item.path.parent == Path(__file__).parent]
    assert items
    assert [item.name for item in items if "nothing_left" not in getattr(item, "fixturenames", ())] == []
