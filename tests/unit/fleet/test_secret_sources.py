"""How an inventory holds secrets, and where they are fetched from: told with their place, never with their value."""

from __future__ import annotations

import pickle
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, List

import pyrage
import pytest

from fleet.errors import UsageError
from fleet.inventory.document import parse
from fleet.inventory.references import reference
from fleet.roles import defaults
from fleet.secret import Reference, Secret
from fleet.secrets import age
from fleet.secrets.resolver import Resolver
from fleet.variables import Variable

CANARY = "canary-4f1e-value"
FILE = Path("group_vars/all.yml")
IDENTITY = pyrage.x25519.Identity.generate()


def declared(kind: str) -> Any:
    return {"x": Variable("x", "r", kind, None, "The help.")}


def given(text: str) -> Reference:
    found = reference(parse(text, FILE, "x"))
    assert found is not None
    return found


@pytest.fixture
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "age.txt"
    path.write_text(f"# made for a test\n{IDENTITY}\n")
    path.chmod(0o600)
    monkeypatch.setenv("SKIFF_AGE_IDENTITY", str(path))
    return path


def block(text: str, recipient: Any = None) -> str:
    armoured = age.encrypt(text, [recipient or IDENTITY.to_public()])
    return "secret:\n  age: |\n" + "".join(f"    {line}\n" for line in armoured.splitlines())


@pytest.mark.parametrize(
    ("text", "source", "value"),
    [
        ("{secret: {env: NAME}}", "env", ("NAME",)),
        ("{secret: {command: [pass, show, 'a b']}}", "command", ("pass", "show", "a b")),
    ],
)
def test_the_form(text: str, source: str, value: Any) -> None:
    found = given(text)
    assert (found.source, found.value, found.place) == (source, value, "group_vars/all.yml:1: x")
    assert str(found) == f"(secret: {source})"


def test_only_that_form_is_one() -> None:
    for text in ("x", "[secret]", "{secret: text}", "{secret: {env: A}, other: 1}", "{other: {env: A}}", "{secret: [a]}"):
        assert reference(parse(text)) is None, text
    foreign = parse("{secret: {path: x}}")
    assert reference(foreign.__class__(foreign.value, None, 1, "", foreign=True)) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{secret: {}}", "x.secret: should have one of the keys age, env, command"),
        ("{secret: {env: A, command: [b]}}", "x.secret: should have one of the keys age, env, command"),
        ("{secret: {enw: A}}", "x.secret.enw: unknown key\ndid you mean 'env'?"),
        (f"{{secret: {{env: '{CANARY}!'}}}}", "x.secret.env: should be the name of a variable"),
        (f"{{secret: {{age: '{CANARY}'}}}}", "x.secret.age: is no armoured text of age"),
        (f"{{secret: {{command: {CANARY}}}}}", "x.secret.command: should be a list"),
        ("{secret: {command: []}}", "x.secret.command: should name a program"),
        ("{secret: {command: [a, 1]}}", "x.secret.command[1]: should be a word"),
        ("{secret: {command: [a], timeout: 0}}", "x.secret.timeout: should be a number of seconds"),
        ("{secret: {env: A, timeout: 3}}", "x.secret.timeout: is for a command only"),
    ],
)
def test_a_faulty_one_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        given(text)
    said = str(caught.value)
    assert said.startswith("group_vars/all.yml:1: ")
    assert message in said
    if "command" not in message:
        assert CANARY not in said


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("secret", "{secret: {env: A}}"),
        ("secret", "in clear"),
        ("strings", "[a, {secret: {env: A}}]"),
        ("mapping", "{a: {b: [{secret: {env: A}}]}}"),
        ("mapping", "{secret: text}"),
    ],
)
def test_variables_that_may_hold_one(kind: str, text: str) -> None:
    defaults.check(declared(kind), [("x", parse(text, FILE, "x"))])


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("string", "{secret: {env: A}}", "should be a string, not a secret; only a variable of the type secret"),
        ("integer", "{secret: {env: A}}", "should be an integer, not a secret"),
        ("strings", "{secret: {env: A}}", "should be a list of strings, not a secret"),
        ("mapping", "{secret: {env: A}}", "should be a mapping, not a secret"),
        ("secret", "12345", "should be a secret: {secret: {env: NAME}}"),
        ("secret", "''", "should be a secret"),
        ("secret", "{secret: hunter2}", "should be a secret"),
        ("secret", "[hunter2]", "should be a secret"),
    ],
)
def test_variables_that_may_not(kind: str, text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        defaults.check(declared(kind), [("x", parse(text, FILE, "x"))])
    assert str(caught.value).startswith(f"group_vars/all.yml:1: x: {message}")
    assert "hunter2" not in str(caught.value)
    assert "12345" not in str(caught.value)


def test_none_in_clear_on_the_command_line() -> None:
    with pytest.raises(UsageError, match="an argument is seen by every user") as caught:
        defaults.check(declared("secret"), [("x", parse(CANARY, None, "--set x"))])
    assert CANARY not in str(caught.value)
    defaults.check(declared("secret"), [("x", parse("{secret: {env: A}}", None, "--set x"))])


def test_a_secret_of_age(identity: Path) -> None:
    assert Resolver()(given(block(CANARY))) == Secret(CANARY)


def test_a_key_of_several_lines_stays_as_it_is(identity: Path) -> None:
    assert Resolver()(given(block("one\ntwo\n"))) == Secret("one\ntwo\n")


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_ssh_keys_are_identities_and_recipients(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(tmp_path / "key")], check=True)
    monkeypatch.setenv("SKIFF_AGE_IDENTITY", str(tmp_path / "key"))
    public = (tmp_path / "key.pub").read_text()
    assert Resolver()(given(block(CANARY, age.recipient(public.strip())))) == Secret(CANARY)


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        (None, 0o600, "cannot be read: No such file or directory"),
        (str(IDENTITY), 0o640, r"can be read by others \(mode 0640\)"),
        ("# nothing\n", 0o600, "holds no identity"),
        ("AGE-SECRET-KEY-1CANARY\n", 0o600, "is no identity of age"),
        (str(pyrage.x25519.Identity.generate()), 0o600, "cannot be decrypted"),
    ],
)
def test_an_identity_that_does_not_open_it(
    text: Any, mode: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "age.txt"
    monkeypatch.setenv("SKIFF_AGE_IDENTITY", str(path))
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(UsageError, match=message) as caught:
        Resolver()(given(block(CANARY)))
    assert "group_vars/all.yml:1: x: " in caught.value.brief
    assert caught.value.resolution
    assert "SECRET-KEY-1" not in str(caught.value).replace("AGE-SECRET-KEY-1...", "")


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", CANARY)
    assert Resolver()(given("{secret: {env: GIVEN}}")) == Secret(CANARY)
    monkeypatch.setenv("GIVEN", "")
    with pytest.raises(UsageError, match=r"group_vars/all.yml:1: x: the environment has no GIVEN"):
        Resolver()(given("{secret: {env: GIVEN}}"))


def test_a_command_s_output_loses_its_last_newline_only() -> None:
    assert Resolver()(given(r"{secret: {command: [printf, ' a\n\n']}}")) == Secret(" a\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (f"[sh, -c, 'echo {CANARY}; echo {CANARY} >&2; exit 3']", "sh ended with status 3"),
        ("[sh, -c, 'sleep 100 & exec sleep 100'], timeout: 1", "sh did not end within 1 seconds"),
        ("[/no/such/program]", "/no/such/program cannot be run: No such file or directory"),
        ("['true']", "the secret is empty"),
        (r"[printf, '\377']", "printf printed what is no text"),
    ],
)
def test_a_command_that_gives_none(argv: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        Resolver()(given(f"{{secret: {{command: {argv}}}}}"))
    assert caught.value.brief == f"group_vars/all.yml:1: x: {message}"
    assert CANARY not in str(caught.value) + "".join(capfd.readouterr())


def test_no_secret_travels_with_it_to_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN", CANARY)
    resolver = Resolver()
    resolver(given("{secret: {env: GIVEN}}"))
    packed = pickle.dumps(resolver)
    assert CANARY.encode() not in packed
    assert pickle.loads(packed)(given("{secret: {env: GIVEN}}")) == Secret(CANARY)


def test_each_is_fetched_once_a_run_however_many_hosts_want_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    texts = [f"{{secret: {{command: [sh, -c, 'echo run >> {log}; sleep 0.1; echo {name}']}}}}" for name in ("one", "two")]
    texts.append(f"{{secret: {{command: [sh, -c, 'echo run >> {log}; exit 1']}}}}")
    resolver, failures = Resolver(), threading.Semaphore(0)

    def fetch(text: str) -> str:
        try:
            return resolver(given(text)).reveal()
        except UsageError:
            failures.release()
            return "failed"

    with ThreadPoolExecutor(12) as executor:
        found: List[str] = list(executor.map(fetch, texts * 4))
    assert found == ["one", "two", "failed"] * 4
    assert log.read_text() == "run\n" * 3
