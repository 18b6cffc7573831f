"""A registry mirror asked from a host: what counts as a registry's answer, and each fault by its name."""

from __future__ import annotations

import gc
import json
import socket
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, cast

import pytest

from fleet.agent.host import Host
from fleet.agent.looks import mirrors, registry

REGISTRY = {registry.HEADER: "registry/2.0"}
NO_HOST = cast(Host, None)


class Server:
    """Answers every path alike; `asked` are the request lines' paths with the proxy's login."""

    def __init__(self, status: int, headers: Dict[str, str]) -> None:
        self.asked: List[Tuple[str, Optional[str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def servers() -> Iterator[List[Server]]:
    found: List[Server] = []
    yield found
    for server in found:
        server.close()


def fault(mirror: str, proxies: Optional[Dict[str, str]] = None, timeout: float = 10.0) -> str:
    with pytest.raises(registry.Fault) as caught:
        registry.ask(mirror, proxies or {}, False, timeout)
    return str(caught.value)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (200, REGISTRY, "200"),
        (200, {"Content-Type": "application/json; charset=utf-8"}, "200"),
        (401, REGISTRY, "401, asks for a login"),
    ],
)
def test_a_registry(servers: List[Server], status: int, headers: Dict[str, str], said: str) -> None:
    servers.append(Server(status, headers))
    assert registry.ask(f"http://{servers[0].place}/", {}, False, 10.0) == said
    assert servers[0].asked == [("/v2/", None)]


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (500, REGISTRY, "HTTP 500"),
        (404, {}, "HTTP 404"),
        (302, {"Location": "http://portal.test/"}, "HTTP 302"),
        (200, {"Content-Type": "text/html"}, f"200 without the header {registry.HEADER}: something else answers there"),
        (401, {}, f"401 without the header {registry.HEADER}: something else answers there"),
    ],
)
def test_what_is_none(servers: List[Server], status: int, headers: Dict[str, str], said: str) -> None:
    servers.append(Server(status, headers))
    assert fault(f"http://{servers[0].place}") == said


def test_nobody_there_no_name_no_tls_and_no_answer(servers: List[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        assert fault(f"http://{place}") == f"{place}: Connection refused"
        taken.listen()
        assert fault(f"http://{place}", timeout=0.2) == f"timeout: no answer within 0.2 s from {place}"
    servers.append(Server(200, REGISTRY))
    assert fault(f"https://{servers[0].place}").startswith("TLS: ")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert fault("https://mirror.test") == "DNS: mirror.test is not found: Name or service not known"


def test_a_proxy_is_gone_through_with_its_login_and_its_fault_is_told_without(servers: List[Server]) -> None:
    servers.append(Server(200, REGISTRY))
    proxies = {"http": f"http://me:p%40ss@{servers[0].place}", "no": ""}
    assert registry.ask("http://mirror.test", proxies, False, 10.0) == "200"
    assert servers[0].asked == [("http://mirror.test:80/v2/", "Basic bWU6cEBzcw==")]
    # Asked for a tunnel, it refuses: GET is all that it knows.
    assert (
        registry.ask("https://mirror.test", {"https": "socks5://me:x@p.test:1080"}, False, 1.0)
        == "not asked: its proxy speaks socks5"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Python 3.9's http.client leaves what a refused tunnel said open
        said = fault("https://mirror.test", {"https": f"http://me:secret@{servers[0].place}"})
        gc.collect()
    assert "501" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("host", "listed", "excepted"),
    [
        ("a.example.com", "example.com", True),
        ("a.example.com", ".example.com:443", True),
        ("example.com.evil.test", "example.com", False),
        ("notexample.com", "example.com", False),
        ("10.1.2.3", "192.168.0.0/16, 10.0.0.0/8", True),
        ("11.1.2.3", "10.0.0.0/8", False),
        ("fd00::1", "fd00::/8", True),
        ("anything", "*", True),
        ("127.0.0.1", "", True),
        ("anything", "", False),
    ],
)
def test_what_no_proxy_names(host: str, listed: str, excepted: bool) -> None:
    assert registry.excepted(host, listed) is excepted


def test_all_mirrors_are_asked_at_once_and_again_where_time_ran_out(
    servers: List[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers += [Server(200, REGISTRY), Server(500, {})]
    calls: List[str] = []
    plain = registry.ask

    def ask(mirror: str, proxies: Dict[str, str], insecure: bool, timeout: float) -> str:
        calls.append(mirror)
        if mirror == "http://slow.test":
            raise registry.Fault("timeout: no answer")
        assert proxies["http"] == "http://proxy.test:3128"
        return plain(mirror, {}, insecure, timeout)

    (tmp_path / "daemon.json").write_text(json.dumps({"proxies": {"http-proxy": "http://proxy.test:3128"}}))
    monkeypatch.setattr(registry, "ask", ask)
    given: Dict[str, Any] = {"unit": "none.service", "file": str(tmp_path / "daemon.json"), "timeout": 10.0, "attempts": 2}
    asked = [f"http://{server.place}" for server in servers] + ["http://slow.test"]
    found = mirrors.look({**given, "mirrors": asked, "insecure": []}, NO_HOST)
    assert found == [
        {"mirror": asked[0], "answers": True, "said": "200"},
        {"mirror": asked[1], "answers": False, "said": "HTTP 500"},
        {"mirror": asked[2], "answers": False, "said": "timeout: no answer"},
    ]
    assert sorted(calls) == sorted([*asked, asked[2]])
