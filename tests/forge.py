"""A git server over TLS, with git's own program behind it, and a web proxy that wants a password: both count who asked."""

from __future__ import annotations

import base64
import os
import select
import socket
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Dict, List

from tests.site import Listener, certify, encrypted

ENDLESS = 60  # seconds without a byte


class Forge(Listener):
    """Serves the repositories in a directory at an address of this machine, for reading. `asked` are the paths asked for."""

    def __init__(self, address: str, directory: Path, keys: Path) -> None:
        self.asked: List[str] = []
        forge = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                forge.asked.append(self.path)
                told = subprocess.run(
                    ["git", "http-backend"], input=self._body(), env=environment(self, directory), capture_output=True, check=True
                ).stdout
                head, _, body = told.partition(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.send_response(int(fields.pop("Status", "200").split()[0]))
                for name, value in {**fields, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.do_GET()

            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", "0")))
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def log_message(self, *_: object) -> None:
                """Nothing is written beside the test's own output."""

        self.ca, chain = certify(address, keys)
        super().__init__(encrypted(ThreadingHTTPServer((address, 0), Handler), chain))
        self.address = f"https://{address}:{self.port}"


def environment(asked: BaseHTTPRequestHandler, directory: Path) -> Dict[str, str]:
    """What a web server tells git of a request, as RFC 3875 has it."""
    path, _, query = asked.path.partition("?")
    return {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(directory),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": asked.headers.get("Git-Protocol", ""),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "REQUEST_METHOD": asked.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": asked.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": asked.headers.get("Content-Encoding", ""),
    }


class Proxy(Listener):
    """Tunnels to wherever it is asked to (CONNECT), for those who give the login. `tunnels` are the places it led to."""

    def __init__(self, address: str, login: str) -> None:
        self.tunnels: List[str] = []
        self.refusals = 0
        proxy = self
        wanted = "Basic " + base64.b64encode(login.encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_CONNECT(self) -> None:
                if self.headers.get("Proxy-Authorization") != wanted:
                    proxy.refusals += 1
                    self.send_response(407)
                    self.send_header("Proxy-Authenticate", 'Basic realm="tests"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                proxy.tunnels.append(self.path)
                host, _, port = self.path.rpartition(":")
                with socket.create_connection((host, int(port))) as server:
                    self.send_response(200)
                    self.end_headers()
                    join(self.connection, server)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Nothing is written beside the test's own output."""

        super().__init__(ThreadingHTTPServer((address, 0), Handler))
        self.address = f"http://{login}@{address}:{self.port}"


def join(one: socket.socket, other: socket.socket) -> None:
    """Carries bytes both ways until either ends."""
    ways = {one: other, other: one}
    while ready := select.select(list(ways), [], [], ENDLESS)[0]:
        for source in ready:
            data = source.recv(1 << 16)
            if not data:
                return
            ways[source].sendall(data)
