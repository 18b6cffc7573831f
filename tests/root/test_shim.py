"""The shim: its protocol, the log that it writes, the streams that it hands on, the exit that it records."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from skiff.linux import mounts
from tests.root.box import TIMEOUT, Box, Refused, Shim, alive, frames


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "small"
    disk.mkdir()
    mounts.mount(b"tmpfs", bytes(disk), b"tmpfs", 0, b"size=1m")
    yield disk
    mounts.unmount(bytes(disk), mounts.MNT_DETACH)


def drain(shim: Shim) -> bytes:
    """All until the end of file."""
    parts: list[bytes] = []
    while True:
        part = shim.sock.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def test_its_greeting_follows_the_containers_life(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "exit 7"))
    first = container.connect()
    assert first.hello == {"shim": 1, "id": "c1", "pid": container.pid, "status": "created", "started": None, "exit": None}
    started = first.ask("start")["started"]
    ended = first.ask("wait")["exit"]
    first.close()
    assert (ended["code"], ended["signal"], ended["oom"]) == (7, None, False)
    second = container.connect()
    second.close()
    assert second.hello == {"shim": 1, "id": "c1", "pid": 0, "status": "stopped", "started": started, "exit": ended}


def test_the_exit_record_outlives_the_shim(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "exit 3"))
    ended = container.run()
    container.ask("delete")
    assert json.loads((box.exec_root / "containers" / "c1" / "exit.json").read_text()) == ended


def test_a_signal_gives_128_and_its_number(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    container.ask("kill", signal=9)
    ended = container.ask("wait")["exit"]
    assert (ended["code"], ended["signal"]) == (137, 9)


def test_all_processes_can_be_signalled(box: Box) -> None:
    spec = box.spec("sh", "-c", "sleep 100 & sleep 100")
    container = box.create(spec)
    container.ask("start")
    container.ask("kill", signal=9, all=True)
    assert container.ask("wait")["exit"]["code"] == 137


@pytest.mark.parametrize("op", ["start", "delete"])
def test_what_a_running_container_refuses(box: Box, op: str) -> None:
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    with pytest.raises(Refused, match=r"already running|kill it first"):
        container.ask(op)


def test_a_container_never_started_is_deleted_by_force(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    container.ask("delete", force=True)
    assert not (box.exec_root / "shims" / "c1.sock").exists()
    assert not (box.exec_root / "oci" / "c1").exists()


@pytest.mark.parametrize(
    "line", [b"\n", b"[]\n", b"{}\n", b'{"op": 5}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n", b'{"op":"kill","signal":"x"}\n']
)
def test_nonsense_is_answered_and_does_no_harm(box: Box, line: bytes) -> None:
    container = box.create(box.spec("sleep", "100"))
    shim = container.connect()
    shim.file.write(line)
    assert shim.receive()["ok"] is False
    assert shim.ask("state")["status"] == "created"
    shim.close()


def test_the_log_has_dockers_form(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "echo out; echo err >&2; printf 'no end'"))
    container.run()
    entries = [json.loads(line) for line in container.log_path.read_text().splitlines()]
    assert sorted((entry["stream"], entry["log"]) for entry in entries) == [
        ("stderr", "err\n"),
        ("stdout", "no end"),
        ("stdout", "out\n"),
    ]
    assert all(entry["time"].endswith("Z") and len(entry["time"]) == len("2026-01-01T00:00:00.000000000Z") for entry in entries)


def test_a_long_line_is_cut_and_a_lot_of_output_is_whole(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo"))
    container.run()
    entries = [json.loads(line)["log"] for line in container.log_path.read_text().splitlines()]
    assert max(map(len, entries)) == 16384
    assert "".join(entries) == "x" * 3_000_000 + "\n"


def test_the_log_is_rotated(box: Box) -> None:
    container = box.create(
        box.spec("sh", "-c", "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done"), log={"max-size": 4096, "max-file": 3}
    )
    container.run()
    names = sorted(path.name for path in box.path.glob("c1.log*"))
    assert names == ["c1.log", "c1.log.1", "c1.log.2"]
    newest = [json.loads(line)["log"] for line in container.log_path.read_text().splitlines()]
    assert newest[-1] == "line 299\n"
    assert all(path.stat().st_size < 4096 + 200 for path in box.path.glob("c1.log*"))


def test_attach_gets_both_streams_framed_until_the_end(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "echo out; echo err >&2"))
    shim = container.connect()
    shim.ask("attach", stdout=True, stderr=True, stdin=False)
    container.ask("start")
    said = frames(drain(shim))
    shim.close()
    assert sorted(said) == [(1, b"out\n"), (2, b"err\n")]


def test_attach_feeds_standard_input_to_its_end(box: Box) -> None:
    container = box.create(box.spec("wc", "-c"), stdin=True)
    shim = container.connect()
    shim.ask("attach", stdout=True, stderr=False, stdin=True)
    container.ask("start")
    data = b"y" * 2_000_000
    shim.sock.sendall(data)
    shim.sock.shutdown(socket.SHUT_WR)
    assert frames(drain(shim)) == [(1, b"%d\n" % len(data))]
    shim.close()


def test_input_that_may_come_again_stays_open(box: Box) -> None:
    container = box.create(box.spec("head", "-n", "2"), stdin=True)
    container.ask("start")
    for line in (b"one\n", b"two\n"):
        shim = container.connect()
        shim.ask("attach", stdout=False, stderr=False, stdin=True, once=False)
        shim.sock.sendall(line)
        shim.close()
    assert container.ask("wait")["exit"]["code"] == 0
    assert container.log() == "one\ntwo\n"


def test_a_client_that_does_not_read_loses_nothing(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "head -c 4000000 /dev/zero | tr '\\0' x"))
    slow = container.connect()
    slow.ask("attach", stdout=True, stderr=True, stdin=False)
    container.ask("start")
    time.sleep(0.5)  # time enough to end, if it did not have to wait for the client
    assert container.ask("state")["status"] == "running"
    assert sum(len(payload) for _, payload in frames(drain(slow))) == 4_000_000
    slow.close()
    assert container.ask("wait")["exit"]["code"] == 0


def test_a_process_outside_that_holds_the_output_does_not_hold_up_the_exit(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    container.ask("start")
    with Path(f"/proc/{container.pid}/fd/1").open("wb"):
        container.ask("kill", signal=9)
        assert container.ask("wait")["exit"]["code"] == 137


def test_a_full_disk_under_the_log_and_the_state_ends_no_container(box: Box, small_disk: Path) -> None:
    (box.path / "c1.log").symlink_to(small_disk / "log")
    container = box.create(box.spec("sh", "-c", "head -c 500000 /dev/zero | tr '\\0' '\\n'; exit 5"))
    assert container.run()["code"] == 5


def test_a_removed_socket_does_not_keep_the_shim(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    shim = container.connect()
    (box.exec_root / "shims" / "c1.sock").unlink()
    assert shim.ask("delete", force=True) == {"ok": True}
    shim.close()
    assert_gone(container.shim_pid)


def test_an_exit_that_cannot_be_recorded_is_told_all_the_same(box: Box) -> None:
    container = box.create(box.spec("sh", "-c", "exit 6"))
    (box.exec_root / "containers").write_text("in the way")
    assert container.run()["code"] == 6
    container.ask("delete")


def test_a_start_whose_state_cannot_be_saved_is_a_start(box: Box) -> None:
    container = box.create(box.spec("sleep", "100"))
    shutil.rmtree(box.exec_root / "oci" / "c1")
    container.ask("start")
    assert container.ask("state")["status"] == "running"
    container.ask("delete", force=True)


def assert_gone(pid: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    while alive(pid):
        assert time.monotonic() < deadline, "the shim stays"
        time.sleep(0.01)
