"""Facts and agents for tests: a host's facts as its agent sends them, and an agent that follows a script."""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from fleet.exchange.frames import HEAD, JSON
from fleet.roles.loader import Role
from fleet.run.job import Job
from fleet.transport import ERR, OUT, Received
from fleet.transport.fake import FakeChannel, FakeTransport
from fleet.variables import Variable

FACTS: Dict[str, Any] = {
    "hostname": "h1",
    "uid": 0,
    "os": {"id": "centos", "id_like": ["rhel", "fedora"], "version_id": "9", "pretty_name": "CentOS Stream 9"},
    "kernel": "5.14.0",
    "arch": "x86_64",
    "python": {"path": "/usr/bin/python3", "version": [3, 9, 18]},
    "pythons": [{"path": "/usr/bin/python3.11", "version": [3, 11, 2]}],
    "package_manager": "dnf",
    "cgroup": "v2",
    "overlay": True,
    "br_netfilter": True,
    "sysctls": {"user.max_user_namespaces": "15000"},
    "systemd": True,
    "virtualisation": "kvm",
    "cpu_flags": ["vmx"],
    "kvm": False,
    "nested": None,
    "selinux": {"mode": "enforcing", "file": "enforcing", "kernel_args": False},
    "firewalld": {"installed": True, "active": "active", "enabled": "enabled"},
    "storage": [{"path": "/var/lib", "type": "xfs", "ftype": True, "free": 1, "size": 2}],
    "memory": 8589934592,
    "cpus": 2,
    "docker": {"unit": False, "socket": "absent", "compat": False, "managed": False, "root": None},
}


def frame(message: Mapping[str, Any]) -> bytes:
    payload = json.dumps(message).encode()
    return HEAD.pack(JSON, len(payload)) + payload


def hello(**facts: Any) -> Dict[str, Any]:
    return {"type": "hello", "protocol": 1, "cached": True, "facts": {**FACTS, **facts}}


def done(**fields: Any) -> Dict[str, Any]:
    return {"type": "done", "changed": 0, "failed": 0, "skipped": 0, "reboot": [], "left": [], "interrupted": False, **fields}


def result(name: str, status: str = "ok", **fields: Any) -> Dict[str, Any]:
    return {
        "type": "result", "id": name, "role": "r", "handler": False, "status": status, "summary": f"update {name}",
        "diff": "", "seconds": 0, "backup": None, "error": None, **fields,
    }  # fmt: skip


def plan(*changed: str) -> Dict[str, Any]:
    fields = {"role": "r", "handler": False, "action": "update", "summary": "", "diff": "", "fingerprint": ""}
    return {"type": "plan", "changes": [{"id": name, **fields} for name in changed], "errors": []}


Script = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]]]


class Agent:
    """An agent as a peer of FakeChannel. `script` answers each message; what it got is in `messages` and `contents`."""

    def __init__(self, marker: str, script: Script, opening: bytes = b"", greeting: Optional[Mapping[str, Any]] = None) -> None:
        self._script = script
        self._started = False
        self._opening = opening + marker.encode() + b"\n"
        self._greeting = greeting or hello()
        self._held = b""
        self.messages: List[Dict[str, Any]] = []
        self.contents: Dict[str, bytes] = {}

    def __call__(self, data: bytes) -> Sequence[Received]:
        if not self._started:
            self._started = True
            return [Received(OUT, self._opening), Received(OUT, frame(self._greeting))]
        self._held += data
        answers: List[Received] = []
        while len(self._held) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._held)
            payload, rest = self._held[HEAD.size : HEAD.size + length], self._held[HEAD.size + length :]
            if len(payload) < length:
                break
            self._held = rest
            if kind == JSON:
                self.messages.append(json.loads(payload))
                answers += [Received(OUT, frame(message)) for message in self._script(self.messages[-1])]
            else:
                answers += self._content(kind, payload)
        return answers

    def _content(self, kind: bytes, payload: bytes) -> List[Received]:
        digest = payload[:32].hex()
        self.contents[digest] = self.contents.get(digest, b"") + payload[32:]
        if kind != b"E":
            return []
        return [Received(OUT, frame(message)) for message in self._script({"type": "content", "sha256": digest})]


def agent_channel(script: Script, **options: Any) -> Callable[[str], FakeChannel]:
    """For FakeTransport: a channel whose agent uses the marker of the command line."""

    def open_channel(command: str) -> FakeChannel:
        found = re.search(r"echo ([0-9a-f]{32});", command)
        assert found is not None
        return FakeChannel(Agent(found[1], script, **options))

    return open_channel


def said(text: str) -> Received:
    return Received(ERR, text.encode())


DECLARED = {
    "word": Variable("word", "r", "string", "plain", ""),
    "verify_timeout": Variable("verify_timeout", "r", "integer", 30, ""),
}


def job(mode: str = "apply", *roles: Role, **fields: Any) -> Job:
    return Job(mode, tuple(roles), declared=DECLARED, **fields)


def agent(script: Script, **options: Any) -> FakeTransport:
    return FakeTransport(agent_channel(script, **options))


def answering(*messages: Mapping[str, Any]) -> Script:
    return lambda message: messages if message["type"] == "desired" else []
