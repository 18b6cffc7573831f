"""Secrets of a desired state: in no message and no record, whatever a program prints; left out of a JSON file's diff."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any, List, Mapping, cast
from urllib.parse import quote

import pytest

from fleet.agent import diff, probes
from fleet.agent.contents import Contents
from fleet.agent.errors import LONGEST, AgentError
from fleet.agent.host import Host
from fleet.agent.masked import MISSING, masked
from fleet.agent.redaction import Redaction
from fleet.agent.state import State
from fleet.content import Content
from fleet.resources import Command, JsonFile
from fleet.secret import Secret
from tests.unit.agent.driver import Session
from tests.unit.agent.wanted import wire

CANARY = 'canary "4f1e" /ä+value'


def test_no_half_of_a_secret_is_left_where_an_errors_details_are_cut() -> None:
    last = "".join(f"line {number}\n" for number in range(2000))[-LONGEST + len(CANARY) // 2 :]
    error = AgentError("it failed", f"password {CANARY}\n{last}").to_wire()
    assert len(error["details"]) > LONGEST - 100
    assert "value" not in Redaction([CANARY])(error)["details"]


def test_no_half_of_a_secret_is_left_where_a_diff_is_cut() -> None:
    begun = "--- /x\n+++ /x\n@@ -0,0 +1,2 @@\n+"
    rest = "y" * (diff.LONGEST - len(begun) - len("\n+password ") - len(CANARY) // 2)
    text = Redaction([CANARY])(diff.cut(f"{begun}{rest}\n+password {CANARY}\n"))
    assert "canary" not in text
    assert f"{rest}\n... " in text


def test_no_half_of_a_secret_is_left_where_the_output_of_a_probe_is_cut(tmp_path: Path) -> None:
    script = f'head -c {probes.LONGEST - len(CANARY) // 2} /dev/zero | tr \'\\0\' x; echo "$0"; echo "$0" >&2'
    asked = {"name": "r/long", "argv": ["sh", "-c", script, CANARY], "timeout": 10, "contents": {}}
    contents = Contents(State(str(tmp_path)), lambda _: None, lambda: (b"", b""))
    (found,) = probes.run([asked], contents, cast(Host, None), Redaction([CANARY]).text)
    assert found["stdout"].endswith("x(secret)\n")
    assert found["stderr"] == "(secret)\n"


@pytest.mark.parametrize("prefix", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_seen_wherever_the_secret_stands(prefix: str, encode: Any) -> None:
    text = encode((prefix + CANARY + "tail").encode()).decode()
    whole = encode(CANARY.encode()).decode()
    hidden = Redaction([CANARY])(f"auth: {text}; {whole}")
    assert hidden.count("(secret)") == 2
    assert whole[6:-6] not in hidden


@pytest.mark.parametrize(
    "form", [CANARY, json.dumps(CANARY), repr(CANARY), quote(CANARY, safe=""), CANARY.encode().hex(), f"<{CANARY}>" * 3]
)
def test_other_forms(form: str) -> None:
    hidden = Redaction([CANARY])({"brief": [f"before {form} after"], "id": "file:/x"})
    assert "canary" not in str(hidden)
    assert "63616e617279" not in str(hidden)
    assert hidden["id"] == "file:/x"
    assert hidden["brief"][0].startswith("before ")


def test_each_line_of_a_key_is_a_secret() -> None:
    redaction = Redaction(["-----BEGIN-----\nfirst line\nsecond line\n"])
    assert redaction("error near: second line") == "error near: (secret)"


def test_the_longer_of_two_goes_first() -> None:
    assert Redaction(["hunter", "hunter2-and-more"])("hunter2-and-more") == "(secret)"


@pytest.mark.parametrize(
    "text",
    [
        r"a='pa'\''ss-plain-part'\''",
        "<x>&apos;ss-plain-part&amp;</x>",
        base64.b64encode(b"\\'ss-plain-part\\x26").decode(),
        json.dumps(json.dumps("'ss-plain-part&")),
    ],
)
def test_the_plain_part_is_found_however_the_rest_is_escaped(text: str) -> None:
    hidden = Redaction(["'ss-plain-part&"])(text)
    assert "(secret)" in hidden
    assert "plain" not in hidden
    assert base64.b64encode(b"plain-p").decode()[:8] not in hidden


def test_a_small_part_gives_nothing_away() -> None:
    assert Redaction(["https://registry/a?b=c&d=e&f=g"])("registry-mirrors") == "registry-mirrors"


def test_what_is_no_secret_is_left_alone() -> None:
    assert Redaction(["on"])("on and on") == "on and on"


def test_no_message_and_no_record_tells_what_programs_print(session: Session, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"password={CANARY}\n")
    argv = ("sh", "-c", f"cat {tmp_path}/config; cat {tmp_path}/config | base64 >&2; exit 3")
    probe = {"name": "p", "argv": ["cat", f"{tmp_path}/config"], "when": "always", "timeout": 5, "contents": {}}
    failed = session.run("apply", [wire(Command("check", argv))], secrets=[CANARY])
    asked = session.run("verify", [], [probe], secrets=[CANARY])
    assert "password=(secret)" in failed.one("result")["error"]["details"]
    assert asked.one("probes")["results"][0]["stdout"] == "password=(secret)\n"
    kept = (session.home / "last-run.json").read_text()
    for text in (str(failed.messages), str(asked.messages), kept, session.stderr):
        assert "canary" not in text
        assert base64.b64encode(CANARY.encode()).decode()[:12] not in text
    assert "(secret)" in kept


def test_a_command_reads_what_it_is_given(session: Session, root: Path) -> None:
    stdin = Content.of(b"x" * (2 << 20) + b"end\n")
    session.apply([wire(Command("keep", ("sh", "-c", f"cat > {root}/got"), stdin=stdin))])
    assert (root / "got").read_bytes() == b"x" * (2 << 20) + b"end\n"


def test_nothing_is_shown_of_a_command_that_was_given_a_secret(session: Session, tmp_path: Path) -> None:
    echo = Command("login", ("sh", "-c", "rev; exit 1"), stdin=Content.of(Secret(CANARY)))
    exchange = session.run("apply", [wire(echo)], secrets=[CANARY])
    assert exchange.one("result")["error"]["details"].endswith("what it said is not shown: it was given a secret")
    for text in (str(exchange.messages), (session.home / "last-run.json").read_text(), session.stderr):
        assert "canary" not in text
        assert CANARY[::-1][:6] not in text


ROWS: List[Any] = [
    ({"a": 1, "log": {"x": "y"}}, {"a": 1, "log": {"x": "y"}}, {"a": 1, "log": {"x": "y"}}),
    ({"registry-password": "n"}, {"registry-password": "o"}, {"registry-password": "(secret, changed)"}),
    ({"api-key": "n"}, {}, {"api-key": "(secret)"}),
    (
        {"tokens": {"a": "n", "b": ["c", 1, None, True]}},
        {},
        {"tokens": {"a": "(secret)", "b": ["(secret)", "(secret)", None, True]}},
    ),
    ({"p": "http://u:n@h:1/"}, {"p": "http://u:o@h:1/"}, {"p": "http://(secret, changed)@h:1/"}),
    ({"p": "http://u:n@h:1/"}, {"p": "http://u:n@h:1/"}, {"p": "http://(secret)@h:1/"}),
    ({"declared": ["x", {"y": "n"}]}, {"declared": ["x"]}, {"declared": ["x", {"y": "(secret)"}]}),
]


@pytest.mark.parametrize(("new", "old", "shown"), ROWS)
def test_what_a_diff_shows_of_json(new: Mapping[str, Any], old: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    assert masked(new, old, [["declared", 1, "y"]]) == shown


def test_all_is_new_where_there_was_no_file() -> None:
    assert masked({"secret": "x"}, MISSING, []) == {"secret": "(secret)"}


def test_a_json_file_s_diff_is_without_secrets(session: Session, root: Path) -> None:
    path = root / "daemon.json"
    path.write_text(json.dumps({"debug": False, "proxy": "old-canary", "auth-token": "foreign-canary"}, indent=4))
    path.chmod(0o600)
    wanted = JsonFile(str(path), {"debug": True, "proxy": "new-canary"}, mode="0600", validate=("sh", "-c", "cat {}; exit 1"))
    exchange = session.run("apply", [wire(wanted, secrets=[["proxy"]])], secrets=["new-canary"])
    change = exchange.one("plan")["changes"][0]
    assert change["summary"].endswith(": debug, proxy")
    assert '-    "debug": false' in change["diff"]
    assert '-    "proxy": "(secret)"' in change["diff"]
    assert '+    "proxy": "(secret, changed)"' in change["diff"]
    assert "not valid" in exchange.one("result")["error"]["brief"]
    assert "canary" not in str(exchange.messages) + (session.home / "last-run.json").read_text()


def test_the_copy_of_a_json_file_with_secrets_is_root_s_alone(session: Session, root: Path) -> None:
    path = root / "daemon.json"
    path.write_text('{"proxy": "old-canary"}')
    path.chmod(0o644)
    _, (result,), _ = session.apply([wire(JsonFile(str(path), {"proxy": "new"}, mode="0600"), secrets=[["proxy"]])])
    assert stat.S_IMODE(Path(result["backup"]).stat().st_mode) == 0o600
    assert json.loads(path.read_text()) == {"proxy": "new"}
