"""Images and volumes that want mounts, masks and kernel parameters to land elsewhere: planted beforehand, or changed meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.root.box import Box
from tests.root.oci import Oci

RENAME_EXCHANGE = 2
LIBC = ctypes.CDLL(None)


def bind(source: Path, destination: str) -> dict[str, Any]:
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind"]}


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A directory that another container may write to."""
    made = tmp_path / "volume"
    made.mkdir()
    return made


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory of the host's, with one file."""
    made = tmp_path / "outside"
    made.mkdir()
    (made / "victim").write_text("whole")
    return made


@contextlib.contextmanager
def swapping(first: Path, second: Path) -> Iterator[None]:
    """The two names change places all the time, as another container with the same volume would have it."""
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            LIBC.renameat2(-100, os.fsencode(first), -100, os.fsencode(second), RENAME_EXCHANGE)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_mount_target_swapped_for_a_symlink_stays_inside(oci: Oci, volume: Path, outside: Path, tmp_path: Path) -> None:
    """CVE-2021-30465: whichever of the two is met, nothing is made or mounted in the host's directory."""
    source = tmp_path / "source"
    source.mkdir()
    (volume / "a").mkdir()
    (volume / "b").symlink_to("../" * 20 + str(outside).lstrip("/"))
    with swapping(volume / "a", volume / "b"):
        for _ in range(12):
            oci.run("true", mounts=[bind(volume, "/vol"), bind(source, "/vol/a/made/here")], check=False)
            assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "whole"


def test_a_mask_swapped_for_a_symlink_stays_inside(oci: Oci, box: Box, volume: Path, outside: Path) -> None:
    """CVE-2019-16884 raced: one that fell out of the root would not be among those that the container sees."""
    inside = box.rootfs / str(outside).lstrip("/")
    inside.mkdir(parents=True)
    (inside / "victim").write_text("the image's own")
    (volume / "a").mkdir()
    (volume / "a" / "victim").write_text("the volume's")
    (volume / "b").symlink_to("../" * 20 + str(outside).lstrip("/"))
    linux = {"maskedPaths": ["/vol/a/victim"], "readonlyPaths": []}
    with swapping(volume / "a", volume / "b"):
        for _ in range(12):
            seen = oci.said("cat", "/proc/self/mountinfo", mounts=[bind(volume, "/vol")], linux=linux)
            (mask,) = [line.split()[4] for line in seen.splitlines() if " /null " in line and "victim" in line]
            assert mask in ("/vol/a/victim", "/vol/b/victim", f"{outside}/victim")
    assert (outside / "victim").read_text() == "whole"


def test_masks_are_made_of_the_hosts_null_device(oci: Oci, box: Box, volume: Path) -> None:
    """CVE-2025-31133: a /dev/null of the container's own that leads to a file which the mask would then show, writable."""
    (box.rootfs / "secret").write_text("secret\n")
    (box.rootfs / "lever").write_text("lever\n")
    (volume / "null").symlink_to("/lever")
    script = "cat /secret; stat -c %t,%T /secret; cat /lever"
    done = oci.run("sh", "-c", script, mounts=[bind(volume, "/dev")], linux={"maskedPaths": ["/secret"]})
    assert done.stdout == "1,3\nlever\n"


PTS = {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666", "mode=620"]}


def typed(oci: Oci, box: Box, mounts: list[dict[str, Any]], socket_path: Path) -> list[str] | None:
    """Where a container finds its terminal a second time, by its own mount table; None if it was not made."""
    bundle = box.path / "typed"
    if not bundle.exists():
        oci.bundle("typed", "cat", "/proc/self/mountinfo")
        others = [mount for mount in box.spec("true")["mounts"] if not mount["destination"].startswith("/dev")]
        oci.spec("typed", lambda spec: spec.update(mounts=[*others, *mounts]))
        oci.spec("typed", lambda spec: spec["process"].update(terminal=True))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path))
        listener.listen(1)
        listener.settimeout(30)
        done = oci("create", "-b", str(bundle), "--console-socket", str(socket_path), "typed", check=False)
        socket_path.unlink()
        if done.returncode:
            return None
        try:
            connection, _ = listener.accept()
            with connection:
                _, [master], _, _ = socket.recv_fds(connection, 64, 1)
            said = b""
            with open(master, "rb", buffering=0) as terminal:
                oci("start", "typed")
                with contextlib.suppress(OSError):  # once nobody has the other end
                    while True:
                        said += terminal.read(65536)
        finally:
            oci("delete", "--force", "typed")
    fields = [line.split() for line in said.decode().splitlines()]
    return [found[4] for found in fields if found[3] == "/0"]


def test_a_terminal_is_not_bound_over_a_file_of_the_hosts(oci: Oci, box: Box, outside: Path, tmp_path: Path) -> None:
    """CVE-2025-52565: /dev/console is a link out; one that fell out of the root would not be among those that are seen."""
    inside = box.rootfs / str(outside).lstrip("/")
    inside.mkdir(parents=True)
    (inside / "victim").write_text("the image's own")
    (box.rootfs / "dev").mkdir()
    (box.rootfs / "dev" / "console").symlink_to("../" * 20 + str(outside).lstrip("/") + "/victim")
    assert typed(oci, box, [PTS], tmp_path / "console") == [f"{outside}/victim"]
    assert (outside / "victim").read_text() == "whole"


def test_a_terminal_swapped_for_a_symlink_stays_inside(oci: Oci, box: Box, volume: Path, outside: Path, tmp_path: Path) -> None:
    """CVE-2025-52565 raced: /dev is another container's too, which makes its console a link to a file of the host's."""
    inside = box.rootfs / str(outside).lstrip("/")
    inside.mkdir(parents=True)
    (inside / "victim").write_text("the image's own")
    (volume / "pts").mkdir()
    (volume / "a").write_text("")
    (volume / "console").symlink_to("../" * 20 + str(outside).lstrip("/") + "/victim")
    made = 0
    with swapping(volume / "a", volume / "console"):
        for _ in range(8):
            found = typed(oci, box, [bind(volume, "/dev"), PTS], tmp_path / "console")
            assert found in (None, ["/dev/console"], ["/dev/a"], [f"{outside}/victim"])
            made += found is not None
            assert (outside / "victim").read_text() == "whole"
    assert made, "every one was refused: nothing was seen"


FORWARD = {"net.ipv4.ip_forward": "1"}


def test_a_kernel_parameter_is_not_written_to_a_planted_file(oci: Oci, box: Box) -> None:
    """CVE-2025-52881: without procfs at /proc the file there is the image's."""
    planted = box.rootfs / "proc" / "sys" / "net" / "ipv4" / "ip_forward"
    planted.parent.mkdir(parents=True)
    planted.write_text("0")
    bundle = oci.bundle("planted", "true")
    without = [mount for mount in box.spec("true")["mounts"] if mount["type"] != "proc"]
    oci.spec("planted", lambda spec: spec["linux"].update(sysctl=FORWARD))
    oci.spec("planted", lambda spec: spec.update(mounts=without))
    done = oci("run", "-b", str(bundle), "planted", check=False)
    assert done.returncode == 1
    assert "sysctl net.ipv4.ip_forward" in done.stderr
    assert (bundle / "rootfs/proc/sys/net/ipv4/ip_forward").read_text() == "0"


@pytest.mark.parametrize("at", ["/proc/sys", "/proc/sys/net", "/proc/sys/net/ipv4"])
def test_a_kernel_parameter_is_not_redirected_by_a_volume(oci: Oci, volume: Path, at: str) -> None:
    """Another file of procfs, reached through a link that a volume over a part of /proc holds."""
    rest = "/proc/sys/net/ipv4/ip_forward"[len(at) + 1 :]
    (volume / rest).parent.mkdir(parents=True, exist_ok=True)
    (volume / rest).symlink_to("/proc/self/oom_score_adj")
    assert "sysctl net.ipv4.ip_forward" in oci.refused("true", mounts=[bind(volume, at)], linux={"sysctl": FORWARD})


def test_a_volume_as_proc_does_not_take_the_masks_away(oci: Oci, volume: Path) -> None:
    """CVE-2019-16884: an image that declares a volume at /proc would have its masks and labels fall into it."""
    (volume / "kcore").write_text("")
    (volume / "self").mkdir()
    refused = oci.refused("true", mounts=[bind(volume, "/proc")], linux={"maskedPaths": ["/proc/kcore"]})
    assert "mask /proc/kcore" in refused


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.parametrize("target", ["/tmp", "../../../../../../tmp", "tmp"])
def test_the_kernels_file_systems_follow_no_link(oci: Oci, box: Box, name: str, target: str) -> None:
    """CVE-2019-19921 and CVE-2023-27561: procfs elsewhere would leave /proc/self/attr and the masks to the image."""
    (box.rootfs / name).symlink_to(target)
    assert f'to rootfs at "/{name}"' in oci.refused("true")


def test_a_tmpfs_is_no_more_open_than_the_directory_that_it_covers(oci: Oci, box: Box) -> None:
    (box.rootfs / "private").mkdir(mode=0o700)
    mounts = [{"destination": path, "type": "tmpfs", "source": "tmpfs", "options": options} for path, options in MODES.items()]
    assert oci.said("stat", "-c", "%a", *MODES, mounts=mounts).split() == ["700", "750", "1777"], "the last was not there"


MODES = {"/private": [], "/tmp": ["mode=750"], "/new": []}
