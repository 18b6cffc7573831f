"""A host in pull mode in a directory of its own: states are published for it, and the program as it is installed pulls them.

pulling = PullingHost(tmp_path, source="https://...", ca="...")
pulling.publish([wire(File(...))]); done = pulling.pull(); pulling.status()
"""

from __future__ import annotations

import functools
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from fleet.agent import facts
from fleet.content import Content
from fleet.pull import program
from fleet.pull.directory import Directory
from fleet.pull.keys import Keys
from fleet.pull.state import Edition, published
from fleet.puller.settings import FORMAT
from fleet.saved.host import Desired
from fleet.secret import Secret
from tests.unit.agent.driver import Message, contents_of, desired

NAME = "web1"
SECONDS = 60
RUN = "import sys; sys.path.insert(0, sys.argv[1]); from fleet.puller.main import main; sys.exit(main(*sys.argv[2:]))"


@functools.cache
def this_machine() -> Mapping[str, Any]:
    """The facts of the machine that runs the tests."""
    return facts.gather()


class PullingHost:
    """Its settings in `settings`, the agent's directory in `home`; what is published lies in `site`."""

    def __init__(self, root: Path, source: str, ca: str = "", python: str = sys.executable) -> None:
        self.root = root
        self.python = python
        self.site = root / "site"
        self.home, self.lock = root / "skiff-agent", root / "skiff-agent.lock"
        self.settings_path, self.key_path = root / "settings.json", root / "host.key"
        self.keys = Keys(root / "keys")
        self.keys.make(None)
        self.serial = int(time.time())
        self.key = "5e" * 32
        self.key_path.write_text(self.key + "\n")
        with tarfile.open(fileobj=io.BytesIO(b"".join(program.archive().chunks()))) as archive:
            archive.extractall(root / "program")
        self.install(source=source, ca=ca)

    def install(self, **changed: Any) -> None:
        """Writes the settings anew, with some of them changed."""
        known = json.loads(self.settings_path.read_text()) if self.settings_path.exists() else {}
        fresh = {"format": FORMAT, "reference": "", "host": NAME, "proxy": "", "patience": 0, "keys": self.keys.public()}
        self.settings_path.write_text(json.dumps({**known, **fresh, **changed}))

    def publish(
        self,
        resources: Sequence[Message],
        secrets: Sequence[Secret] = (),
        host: str = NAME,
        machine: Optional[Mapping[str, Any]] = None,
        expires: float = 3600,
        **edition: Any,
    ) -> Path:
        """Publishes a state with the next serial; the head's file."""
        self.serial += 1
        told = {"serial": self.serial, "made": "2026-01-02T03:04:05Z", "who": "ann@control", "expires": int(time.time() + expires)}
        contents = contents_of(resources)
        hiding = {digest for digest, one in contents.items() if one.secret}
        wanted = Desired(desired("apply", resources)["resources"], [], contents, frozenset(secrets), hiding)
        places = {"home": str(self.home), "lock": str(self.lock)}
        made = published(
            host,
            machine or this_machine(),
            wanted,
            Edition(**{**told, **places, **edition}),
            self.key,
            self.keys.signer(lambda: None),
        )
        Directory(self.site).put(host, made)
        return self.site / "hosts" / host

    def command(self) -> Sequence[str]:
        """The program's command line."""
        paths = (self.root / "program", self.settings_path, self.key_path, self.home)
        return [self.python, "-IB", "-c", RUN, *map(str, paths)]

    def pull(self, **environment: str) -> subprocess.CompletedProcess[str]:
        """Pulls once."""
        clean = {"PATH": os.environ["PATH"], "LC_ALL": "C", **environment}
        return subprocess.run(self.command(), capture_output=True, text=True, env=clean, timeout=SECONDS)

    def status(self) -> Dict[str, Any]:
        """What it keeps of its last pull."""
        found: Dict[str, Any] = json.loads((self.home / "pull" / "status.json").read_text())
        return found

    def refused(self) -> str:
        """A pull that fails; what it says."""
        done = self.pull()
        assert done.returncode == 1, done.stderr
        assert "internal error" not in done.stderr
        return done.stderr


def content(text: str) -> Content:
    """A text's content."""
    return Content.of(text.encode())
