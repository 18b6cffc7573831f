"""Images in the host's engine, which is one of this process here, on a socket of its own."""

from __future__ import annotations

import hashlib
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from fleet.agent import engine, process
from fleet.agent.contents import Contents
from fleet.agent.errors import AgentError
from fleet.agent.host import Host
from fleet.agent.journal import Journal
from fleet.agent.kinds import images
from fleet.agent.state import State

DIGEST = f"sha256:{'a' * 64}"
OWN = f"sha256:{'b' * 64}"
ARCHIVE = b"archive" * 300_000


class Daemon(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """An engine: `images` are its identities by name; a load brings `loads`, or says `error`."""

    daemon_threads = True

    def __init__(self, path: str, root: str) -> None:
        self.images: Dict[str, str] = {}
        self.loads: Dict[str, str] = {"app:1": DIGEST, DIGEST: DIGEST}
        self.error = ""
        self.driver: List[List[str]] = []
        self.root = root
        self.loaded: List[bytes] = []
        super().__init__(path, Handler)

    def load(self, data: bytes) -> List[Dict[str, str]]:
        self.loaded.append(data)
        if self.error:
            return [{"error": self.error}]
        self.images.update(self.loads)
        return [{"stream": "Loaded image: app:1\n"}]


class Handler(BaseHTTPRequestHandler):
    server: Daemon

    def address_string(self) -> str:
        return "host"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/info":
            self.answer(200, {"DockerRootDir": self.server.root, "DriverStatus": self.server.driver})
            return
        name = self.path[len("/images/") : -len("/json")]
        found = self.server.images.get(name)
        self.answer(200, {"Id": found}) if found else self.answer(404, {"message": f"No such image: {name}"})

    def do_POST(self) -> None:
        lines = self.server.load(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(200, *lines)

    def answer(self, status: int, *documents: Any) -> None:
        data = "\r\n".join(map(json.dumps, documents)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    path = str(tmp_path / "e.sock")
    monkeypatch.setattr(engine, "of_host", lambda: engine.Engine(path, "skiff.service"))
    with Daemon(path, str(tmp_path)) as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def want(*names: str, unpacked: int = 1) -> Dict[str, Any]:
    content = {"sha256": hashlib.sha256(ARCHIVE).hexdigest(), "size": len(ARCHIVE)}
    return {"id": "images:a.tar", "archive": content, "images": {DIGEST: list(names)}, "unpacked": unpacked}


def host(folder: Path) -> Host:
    digest = hashlib.sha256(ARCHIVE).digest()
    frames = iter([*((b"B", digest + ARCHIVE[at : at + 65536]) for at in range(0, len(ARCHIVE), 65536)), (b"E", digest)])
    state = State(str(folder / "home"))
    contents = Contents(state, lambda _: None, lambda: next(frames))
    return Host(state, contents, Journal(state, []), "run", [], {}, False, {})


@pytest.mark.parametrize("names", [("app:1",), ()])
def test_what_the_engine_lacks_is_loaded_and_then_left_alone(tmp_path: Path, daemon: Daemon, names: List[str]) -> None:
    one = host(tmp_path)
    change = images.check(want(*names), one)
    assert change is not None
    assert (change.summary, change.contents) == (f"load {'app:1' if names else DIGEST}", [want()["archive"]])
    images.apply(want(*names), change, one)
    assert daemon.loaded == [ARCHIVE]
    assert images.check(want(*names), one) is None


def test_a_name_that_means_another_image_is_told_with_both(tmp_path: Path, daemon: Daemon) -> None:
    daemon.images = {"app:1": OWN, "other:1": DIGEST}
    change = images.check(want("app:1", "other:1"), host(tmp_path))
    assert change is not None
    assert change.summary == "load app:1, which is another image now"
    assert all(one in change.diff for one in (OWN, DIGEST))


def test_an_engine_with_identities_of_its_own_is_known_again(tmp_path: Path, daemon: Daemon) -> None:
    daemon.driver = [["driver-type", "io.containerd.snapshotter.v1"]]
    daemon.loads = {"app:1": OWN}
    one = host(tmp_path)
    change = images.check(want("app:1"), one)
    assert change is not None
    images.apply(want("app:1"), change, one)
    assert images.check(want("app:1"), one) is None
    daemon.images["app:1"] = f"sha256:{'c' * 64}"
    assert images.check(want("app:1"), one) is not None


def test_an_archive_that_the_engine_refuses_fails_with_its_words(tmp_path: Path, daemon: Daemon) -> None:
    daemon.error = "layer 3: no space left"
    one = host(tmp_path)
    change = images.check(want("app:1"), one)
    assert change is not None
    with pytest.raises(AgentError) as caught:
        images.apply(want("app:1"), change, one)
    assert (caught.value.brief, caught.value.details) == ("the engine does not take the archive", "layer 3: no space left")


def test_an_engine_that_took_it_and_has_it_not_is_believed_no_more(tmp_path: Path, daemon: Daemon) -> None:
    daemon.loads = {}
    one = host(tmp_path)
    change = images.check(want("app:1"), one)
    assert change is not None
    with pytest.raises(AgentError, match="has no app:1"):
        images.apply(want("app:1"), change, one)


def test_too_little_room_is_told_before_anything_is_sent(tmp_path: Path, daemon: Daemon) -> None:
    with pytest.raises(AgentError, match="too little room") as caught:
        images.check(want("app:1", unpacked=1 << 60), host(tmp_path))
    assert "MB are free" in caught.value.details
    assert daemon.loaded == []


def test_an_engine_that_is_dead_is_named_with_its_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "none.sock")
    for unit, name in (("skiff.service", "skiff"), ("docker.service", "docker")):
        monkeypatch.setattr(engine, "of_host", lambda unit=unit: engine.Engine(path, unit))
        with pytest.raises(AgentError) as caught:
            images.check(want("app:1"), host(tmp_path))
        assert caught.value.brief == f"{name} does not answer at {path}"
        assert f"systemctl status {unit}" in caught.value.resolution


@pytest.mark.parametrize(("active", "unit"), [(0, "skiff.service"), (3, "docker.service")])
def test_the_hosts_engine_is_dockers_where_it_was_set_up_and_skiffs_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, active: int, unit: str
) -> None:
    drop_in = tmp_path / "skiff.conf"
    monkeypatch.setattr(engine, "DROP_IN", str(drop_in))
    monkeypatch.setattr(process, "run", lambda argv: process.Finished(argv, active, "", ""))
    assert engine.of_host().unit == "skiff.service"
    drop_in.write_text("[Unit]\nX-Skiff=engine\n")
    assert engine.of_host().unit == unit
