"""A host's reboot: the containers that stand against it, and the order to systemd."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

import pytest

from fleet.agent import engine, process, restart
from fleet.agent.errors import AgentError


class Engine(engine.Engine):
    """One with these containers, by name their restart policy."""

    def __init__(self, policies: Optional[Dict[str, str]], unit: str = "docker.service") -> None:
        super().__init__("/nowhere", unit)
        self.policies = policies

    def get(self, path: str) -> Any:
        if self.policies is None:
            raise AgentError("docker does not answer at /nowhere")
        if path == "/containers/json":
            return [{"Id": name} for name in self.policies]
        name = path.split("/")[2]
        return {"Name": f"/{name}", "HostConfig": {"RestartPolicy": {"Name": self.policies[name]}}}


class Commands:
    """What was run; `fails` are the first words of what does not succeed."""

    def __init__(self, fails: Sequence[str] = ()) -> None:
        self.fails = fails
        self.ran: List[str] = []

    def run(self, argv: Sequence[str], *_: Any) -> process.Finished:
        self.ran.append(" ".join(argv))
        return process.Finished(argv, 1 if any(self.ran[-1].startswith(each) for each in self.fails) else 0, "", "no")

    @property
    def rebooted(self) -> bool:
        return any(one.startswith("systemd-run") and one.endswith("systemctl reboot") for one in self.ran)


def ordered(monkeypatch: pytest.MonkeyPatch, *engines: Engine, force: bool = False, fails: Sequence[str] = ()) -> Any:
    commands = Commands(fails)
    monkeypatch.setattr(engine, "all_there", lambda: list(engines))
    monkeypatch.setattr(process, "run", commands.run)
    message = restart.order({"force": force}, ["why"])
    assert commands.rebooted == (message["error"] is None or "systemd-run" in message["error"]["details"])
    return message


def test_without_containers_it_is_ordered_and_the_boot_that_ends_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    message = ordered(monkeypatch, Engine({}))
    with open(restart.BOOT_ID) as stream:
        assert message == {"type": "reboot", "boot": stream.read().strip(), "reasons": ["why"], "containers": [], "error": None}


@pytest.mark.parametrize(
    ("policy", "lost"), [("always", False), ("unless-stopped", False), ("on-failure", True), ("no", True), ("", True)]
)
def test_a_container_that_would_not_return_stands_against_it(monkeypatch: pytest.MonkeyPatch, policy: str, lost: bool) -> None:
    message = ordered(monkeypatch, Engine({"web": "always", "db": policy}))
    assert message["containers"] == ["web (restart policy always)", f"db (restart policy {policy or 'no'})"]
    assert (message["error"] is not None) == lost
    if lost:
        assert message["error"]["brief"] == "a container would not be started again: db"
    assert ordered(monkeypatch, Engine({"db": policy}), force=True)["error"] is None


def test_an_engine_that_is_not_enabled_starts_none_again(monkeypatch: pytest.MonkeyPatch) -> None:
    message = ordered(monkeypatch, Engine({"web": "always"}), fails=["systemctl --quiet is-enabled docker.service"])
    assert message["error"]["brief"] == "a container would not be started again: web"


def test_an_engine_that_does_not_answer_stands_against_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "unknown: docker does not answer" in ordered(monkeypatch, Engine(None))["error"]["brief"]
    assert ordered(monkeypatch, Engine(None), force=True)["error"] is None


def test_an_order_that_systemd_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ordered(monkeypatch, fails=["systemd-run"])["error"]["brief"] == "the reboot could not be ordered"
