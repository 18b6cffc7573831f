"""An engine opened on a root that has containers, and what it does when a shim or the launcher has died."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping

import pytest

from skiff.engine import bundle, engine, host, launching, names, records, shims
from skiff.engine.container import Container, Record
from skiff.engine.settings import Settings
from skiff.launcher import client

CONFIG: Mapping[str, Any] = {
    "Image": "i",
    "Cmd": ["x"],
    "Entrypoint": None,
    "Hostname": "h",
    "User": "",
    "WorkingDir": "",
    "Env": None,
}
HOST: Mapping[str, Any] = {
    "NetworkMode": "none", "AutoRemove": False, "ReadonlyRootfs": False, "ShmSize": 1 << 20, "CapAdd": None, "CapDrop": None,
    "SecurityOpt": None, "Memory": 0, "CpuShares": 0, "NanoCpus": 0, "CpuPeriod": 0, "CpuQuota": 0, "PidsLimit": None,
}  # fmt: skip


@pytest.fixture
def exec_root() -> Iterator[str]:
    """Short, for sockets lie below."""
    path = tempfile.mkdtemp(prefix="skiff-")
    yield path
    shutil.rmtree(path)


def stored(root: Path, mode: str = "none") -> Container:
    store = records.Records(str(root))
    record = Record(names.new_id(), "n", "2026-01-01T00:00:00Z", "sha256:i", CONFIG, {**HOST, "NetworkMode": mode})
    container = Container(record, store.directory(record.id))
    store.add(container)
    return container


def without_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    def spawn(_exec_root: str) -> Any:
        raise EOFError("none in this test")

    monkeypatch.setattr(client, "spawn", spawn)


def test_an_engine_opens_with_a_stored_container(tmp_path: Path, exec_root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without_launcher(monkeypatch)
    made = stored(tmp_path)

    async def main() -> list[str]:
        opened = engine.Engine(Settings(data_root=str(tmp_path), exec_root=exec_root))
        await opened.open()
        found = [container.record.id for container in opened.containers]
        await opened.close()
        return found

    assert asyncio.run(main()) == [made.record.id]


def test_a_launcher_that_dies_on_a_request_is_replaced_and_what_it_had_made_is_cleared_first(
    exec_root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    class Socket:
        def close(self) -> None:
            told.append("closed")

    def request(_sock: Any, _message: dict[str, Any]) -> dict[str, Any]:
        told.append("asked")
        if told.count("asked") == 1:
            raise EOFError("the launcher is gone")
        return {"ok": True, "pid": 7}

    async def dismiss(_exec_root: str, identity: str) -> None:
        told.append(f"dismissed {identity}")

    monkeypatch.setattr(client, "spawn", lambda _exec_root: Socket())
    monkeypatch.setattr(client, "request", request)
    monkeypatch.setattr(shims, "dismiss", dismiss)

    async def main() -> Mapping[str, Any]:
        tested = launching.Launching(exec_root)
        reply = await tested.create({"id": "c"})
        tested.close()
        return reply

    assert asyncio.run(main())["pid"] == 7
    assert told == ["asked", "closed", "dismissed c", "asked", "closed"]


@pytest.mark.parametrize(("mode", "has"), [("none", True), ("host", False)])
def test_a_network_namespace_of_its_own_lets_anybody_ping_and_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, has: bool
) -> None:
    monkeypatch.setattr(host, "has_sysctl", lambda _name: True)
    sysctl = bundle.document(stored(tmp_path, mode))["linux"].get("sysctl")
    assert sysctl == (bundle.NETWORK_SYSCTLS if has else None)


def test_a_kernel_without_the_switch_is_not_asked_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "has_sysctl", lambda name: name.endswith("ping_group_range"))
    assert bundle.document(stored(tmp_path))["linux"]["sysctl"] == {"net.ipv4.ping_group_range": "0 2147483647"}
