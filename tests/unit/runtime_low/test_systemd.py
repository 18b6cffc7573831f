"""systemd's driver without a systemd: names of units, properties, and the messages of its bus."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiff.cgroup import dbus, systemd_properties
from skiff.cgroup.scope import Unit
from skiff.errors import InvalidInput, SkiffError, Unsupported

INFINITY = (1 << 64) - 1


@pytest.mark.parametrize(
    ("place", "path"),
    [
        ("system.slice:skiff:c1", "/system.slice/skiff-c1.scope"),
        (":skiff:c1", "/system.slice/skiff-c1.scope"),
        ("system.slice::c1", "/system.slice/c1.scope"),
        ("-.slice:skiff:c1", "/skiff-c1.scope"),
        (
            "kubepods-burstable-pod7.slice:cri-containerd:abc",
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod7.slice/cri-containerd-abc.scope",
        ),
    ],
)
def test_a_place_is_a_path(place: str, path: str) -> None:
    assert Unit(place).path == path


@pytest.mark.parametrize(
    "place",
    [
        "a:b",
        "a:b:c:d",
        "system.slice:x:",
        "system:x:y",
        "a--b.slice:x:y",
        ".slice:x:y",
        "a/b.slice:x:y",
        "a.slice:x:y/z",
        "a.slice:x:y.slice",
    ],
)
def test_a_bad_place_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput):
        Unit(place)


def named(resources: Any, version: int) -> dict[str, Any]:
    return {name: value for name, (_, value) in systemd_properties.properties(resources, version)}


@pytest.mark.parametrize(
    ("resources", "first", "second"),
    [
        ({"memory": {"limit": 4096}}, {"MemoryLimit": 4096}, {"MemoryMax": 4096}),
        ({"memory": {"limit": -1}}, {"MemoryLimit": INFINITY}, {"MemoryMax": INFINITY}),
        ({"memory": {"limit": 4096, "swap": 8192}}, {"MemoryLimit": 4096}, {"MemoryMax": 4096, "MemorySwapMax": 4096}),
        ({"memory": {"reservation": 4096}}, {}, {"MemoryLow": 4096}),
        ({"cpu": {"shares": 1024}}, {"CPUShares": 1024}, {"CPUWeight": 39}),
        (
            {"cpu": {"quota": 50_000, "period": 100_000}},
            {"CPUQuotaPerSecUSec": 500_000, "CPUQuotaPeriodUSec": 100_000},
            {"CPUQuotaPerSecUSec": 500_000, "CPUQuotaPeriodUSec": 100_000},
        ),
        ({"cpu": {"quota": 33_333}}, {"CPUQuotaPerSecUSec": 340_000}, {"CPUQuotaPerSecUSec": 340_000}),
        ({"cpu": {"quota": -1}}, {"CPUQuotaPerSecUSec": INFINITY}, {"CPUQuotaPerSecUSec": INFINITY}),
        ({"cpu": {"cpus": "0-1,9", "mems": "0"}}, {}, {"AllowedCPUs": [3, 2], "AllowedMemoryNodes": [1]}),
        ({"pids": {"limit": 9}}, {"TasksMax": 9}, {"TasksMax": 9}),
        ({"pids": {"limit": 0}}, {"TasksMax": INFINITY}, {"TasksMax": INFINITY}),
        ({"blockIO": {"weight": 500}}, {"BlockIOWeight": 500}, {"IOWeight": 4950}),
    ],
)
def test_limits_as_properties(resources: Any, first: dict[str, Any], second: dict[str, Any]) -> None:
    assert named(resources, 1) == first
    assert named(resources, 2) == second


def test_unified_as_properties() -> None:
    files = {"memory.high": "max", "pids.max": "5", "cpuset.cpus": "1", "io.max": "8:0 rbps=5", "cpu.max": "1 2"}
    assert named({"unified": files}, 2) == {"MemoryHigh": INFINITY, "TasksMax": 5, "AllowedCPUs": [2]}


def test_devices_as_properties() -> None:
    [(_, (_, policy)), (_, (_, rows))] = systemd_properties.devices([{"allow": True, "type": "b", "major": 8, "access": "r"}], 2)
    assert policy == "strict"
    assert ("/dev/char/1:3", "mrw") in rows
    assert ("char-136", "mrw") in rows
    assert ("char-*", "m") in rows
    assert ("block-8", "r") in rows
    everything = systemd_properties.devices([{"allow": True, "access": "rwm"}], 2)
    assert everything == [("DevicePolicy", ("s", "auto")), ("DeviceAllow", ("a(ss)", []))]


def test_rules_that_systemd_has_no_words_for() -> None:
    """Version 2's program of ours decides on them, version 1 cannot have them."""
    hole: Any = [{"allow": True, "type": "c", "access": "rw"}, {"allow": False, "type": "c", "major": 10, "access": "w"}]
    assert systemd_properties.devices(hole, 2)[0] == ("DevicePolicy", ("s", "auto"))
    with pytest.raises(Unsupported):
        systemd_properties.devices(hole, 1)


def test_a_message_as_the_specification_has_it() -> None:
    """Alignment: a string after a byte, a struct in an array on 8 bytes, the array's length without the padding before it."""
    buffer = bytearray()
    dbus.pack(buffer, "y", 1)
    dbus.pack(buffer, "s", "foo")
    dbus.pack(buffer, "a(sv)", [("a", ("u", 7))])
    assert buffer.hex() == "0100000003000000666f6f001000000001000000610001750000000007000000"


VALUES = st.one_of(
    st.tuples(st.just("u"), st.integers(0, (1 << 32) - 1)),
    st.tuples(st.just("t"), st.integers(0, INFINITY)),
    st.tuples(st.just("b"), st.integers(0, 1)),
    st.tuples(st.just("s"), st.text("aé€ ")),
    st.tuples(st.just("ay"), st.lists(st.integers(0, 255))),
    st.tuples(st.just("a(ss)"), st.lists(st.tuples(st.just("x"), st.just("y")))),
    st.tuples(st.just("a(sv)"), st.lists(st.tuples(st.just("k"), st.tuples(st.just("t"), st.integers(0, 9))))),
    st.tuples(st.just("v"), st.tuples(st.just("s"), st.just("inner"))),
)


@given(st.lists(VALUES))
def test_what_is_packed_is_read(values: list[tuple[str, Any]]) -> None:
    buffer = bytearray()
    for kind, value in values:
        dbus.pack(buffer, kind, value)
    reader = dbus.Reader(bytes(buffer))
    assert [reader.read(kind) for kind, _ in values] == [value for _, value in values]
    assert reader.place == len(buffer)


def test_signatures_are_split() -> None:
    assert dbus.split("ssa(sv)a(sa(sv))uaay") == ["s", "s", "a(sv)", "a(sa(sv))", "u", "aay"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([b"REJECTED EXTERNAL\r\n"], "it does not let us in: REJECTED EXTERNAL"),
        ([b""], "it closed the connection"),
        ([b"OK 1234\r\n", b"HTTP/1.0 400 Bad Request\r\n\r\n"], "the system's message bus sent what is no message"),
        (
            [b"OK 1234\r\n", struct.pack("<cBBBIII", b"l", 2, 0, 1, 1 << 30, 1, 0)],
            "the system's message bus sent what is no message",
        ),
    ],
)
def test_another_program_at_the_socket_is_a_clear_error(tmp_path: Path, answers: list[bytes], message: str) -> None:
    path = str(tmp_path / "bus")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def answer() -> None:
            sock, _ = listener.accept()
            with sock, contextlib.suppress(ConnectionError):
                for data in answers:
                    sock.recv(4096)
                    sock.sendall(data)
                while all(answers) and sock.recv(4096):
                    pass  # until the client hangs up

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(SkiffError, match=message):
            dbus.Bus(path)
        thread.join()


def test_no_bus_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"the system's message bus does not answer at .*: No such file or directory"):
        dbus.Bus(str(tmp_path / "none"))
