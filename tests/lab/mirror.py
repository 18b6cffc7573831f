"""A mirror of packages behind a proxy: it serves a directory under any host's name, to who gives the proxy's password."""

from __future__ import annotations

import base64
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Dict, List
from urllib.parse import urlsplit

USER, PASSWORD = "fleet", "proxy-Passw0rd"
# The address of the repository is no host's: only the proxy leads to it. Its password comes from the environment.
OPTIONS = ("--set", "package_proxy={secret: {env: LAB_PROXY}}", "--set", "docker_repository=http://packages.test")


class Mirror:
    """Listens on an address of this machine; `asked` are the paths that were served, `refused` those without the password.

    A task reaches it with OPTIONS and this `environment`.
    """

    def __init__(self, address: str, directory: Path) -> None:
        self.asked: List[str] = []
        self.refused: List[str] = []
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                if self.headers.get("Proxy-Authorization") != wanted:
                    mirror.refused.append(path)
                    self.send_response(407)
                    self.send_header("Proxy-Authenticate", "Basic realm=lab")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                mirror.asked.append(path)
                file = directory / path.lstrip("/")
                if not file.is_file():
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(file.stat().st_size))
                self.end_headers()
                with file.open("rb") as stream:
                    shutil.copyfileobj(stream, self.wfile)

            def log_message(self, *_: object) -> None:
                """Nothing is written beside the test's own output."""

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.proxy = f"http://{USER}:{PASSWORD}@{address}:{self._server.server_address[1]}"
        self.environment: Dict[str, str] = {"LAB_PROXY": self.proxy}

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
