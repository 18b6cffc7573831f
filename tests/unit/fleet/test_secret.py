"""Secrets as values: never shown, fetched when read, refused where the host would show them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any, List

import pytest

from fleet.checks import Probe
from fleet.content import Content
from fleet.errors import UsageError
from fleet.resources import Command, Directory, File, Handler, JsonFile, Link, Template, Unit
from fleet.roles.compile import Compiler
from fleet.secret import Reference, Secret, holds_secret, revealed
from fleet.variables import Variables

CANARY = "canary-4f1e-value"
SECRET = Secret(CANARY)
REFERENCE = Reference("env", ("NAME",), place="hosts.yml:1: b")


def compiler() -> Compiler:
    return Compiler({SECRET})


def test_it_is_told_by_reveal_alone() -> None:
    assert CANARY not in repr(SECRET) + repr({"x": [SECRET]})
    assert SECRET.reveal() == CANARY
    assert {SECRET: 1}[Secret(CANARY)] == 1
    assert Secret("other") != SECRET


@pytest.mark.parametrize("use", [str, "{}".format, "%s".__mod__, lambda secret: f"password={secret}"])
def test_putting_it_into_a_text_fails_rather_than_writing_a_placeholder(use: Any) -> None:
    with pytest.raises(TypeError) as caught:
        use(SECRET)
    assert CANARY not in str(caught.value)


def test_secrets_within() -> None:
    value = {"a": [1, ("x", SECRET)]}
    assert holds_secret(value)
    assert not holds_secret(revealed(value))
    assert revealed(value) == {"a": [1, ["x", CANARY]]}


def test_a_secret_is_fetched_when_it_is_read() -> None:
    asked: List[Reference] = []

    def fetch(reference: Reference) -> Secret:
        asked.append(reference)
        return SECRET

    values = {"a": REFERENCE, "b": ["x", REFERENCE], "c": {"deep": [{"er": REFERENCE}]}, "none": None, "clear": "in clear"}
    variables = Variables(values, fetch)
    assert variables.as_dict() == values
    assert (asked, variables.secrets) == ([], set())
    assert variables.secret("a") == SECRET
    assert variables.secrets == {SECRET}
    assert variables.strings_and_secrets("b") == ("x", SECRET)
    with pytest.raises(UsageError, match=r"hosts.yml:1: b: no secret can be used here"):
        variables.strings("b")
    assert variables.mapping("c") == {"deep": [{"er": SECRET}]}
    assert variables.secret("none") is None
    assert variables.secret("clear") == Secret("in clear")
    assert variables.secrets == {SECRET, Secret("in clear")}
    assert len(asked) == 3


def test_a_template_that_is_given_a_secret_makes_a_secret_file(tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("password={{ password }} base64={{ ('x' ~ password) | b64encode }}\n")
    made = compiler()
    made.add_role("r", tmp_path, [Template("/etc/x", "x.j2", {"password": SECRET}, mode="0600")], [])
    (wire,) = made.resources
    assert wire["secret"] is True
    assert made.secret_contents == {wire["content"]["sha256"]}
    assert (
        made.contents[wire["content"]["sha256"]].source
        == f"password={CANARY} base64=".encode() + base64.b64encode(b"x" + CANARY.encode()) + b"\n"
    )
    assert CANARY not in str(wire)


@pytest.mark.parametrize("content", [Content.of(SECRET), Content.of(f"password={CANARY}\n".encode())])
def test_a_content_with_a_secret_in_it_makes_a_secret_file_revealed_or_not(content: Content) -> None:
    made = compiler()
    made.add_role("r", Path(), [File("/etc/x", content, mode="0600"), File("/etc/y", Content.of(b"plain"))], [])
    assert [wire["secret"] for wire in made.resources] == [True, False]


def test_secrets_in_json_are_marked_by_their_keys() -> None:
    made = compiler()
    values = {"proxies": {"http": SECRET, "no": "x"}, "list": ["a", {"b": f"user:{CANARY}"}], "plain": 1}
    made.add_role("r", Path(), [JsonFile("/etc/x", values, mode="0600")], [])
    (wire,) = made.resources
    assert wire["secrets"] == [["proxies", "http"], ["list", 1, "b"]]
    assert wire["values"]["proxies"]["http"] == CANARY


@pytest.mark.parametrize(
    "resource",
    [
        File("/etc/x", Content.of(SECRET)),
        File("/etc/x", Content.of(SECRET), mode="0640"),
        File("/etc/x", Content.of(b"a pass phrase"), secret=True),
        JsonFile("/etc/x", {"password": SECRET}),
        Template("/etc/x", "x.j2", {"password": SECRET}, mode="0604"),
    ],
)
def test_a_secret_file_that_others_could_read_is_refused(resource: Any, tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("{{ password }}")
    with pytest.raises(UsageError, match=r"role r: file:/etc/x holds a secret, and its mode 06.. lets others at it") as caught:
        compiler().add_role("r", tmp_path, [resource], [])
    assert "mode='0600'" in caught.value.resolution


def test_a_secret_file_is_shared_if_its_role_says_so() -> None:
    compiler().add_role("r", Path(), [File("/etc/x", Content.of(SECRET), mode="0640", group="app", shared=True)], [])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (Command("login", ("login", SECRET)), "Command login: argv"),  # type: ignore[arg-type] # a careless role
        (Command("login", ("login", f"--password={CANARY}")), "Command login: argv"),
        (Command("login", ("true",), unless=("test", CANARY)), "Command login: unless"),
        (Handler(Command("again", ("login", CANARY)), ("file:/x",)), "Command again: argv"),
        (File(f"/etc/{CANARY}"), "File: path"),
        (File(SECRET), "File: path"),  # type: ignore[arg-type] # a careless role
        (Directory(f"/etc/{CANARY}"), "Directory: path"),
        (Link("/etc/x", CANARY), "Link /etc/x: target"),
        (Unit(f"{CANARY}.service"), "Unit: name"),
        (File("/etc/x", Content.of(b""), validate=("check", CANARY)), "File /etc/x: validate"),
        (Probe("ask", ("ask", CANARY)), "Probe ask: argv"),
    ],
)
def test_a_secret_is_refused_where_the_host_would_show_it(item: Any, message: str) -> None:
    with pytest.raises(UsageError, match=f"^role r: {message} holds a secret, which others on the host could see there") as caught:
        compiler().add_role("r", Path(), [] if isinstance(item, Probe) else [item], [item] if isinstance(item, Probe) else [])
    assert CANARY not in str(caught.value)


def test_a_command_is_given_one_to_read() -> None:
    made = compiler()
    commands = [
        Command("a", ("cat",), stdin=Content.of(SECRET)),
        Command("b", ("cat",), stdin=Content.of(b"x")),
        Command("c", ("cat",)),
    ]
    made.add_role("r", Path(), commands, [])
    assert [wire["secret"] for wire in made.resources] == [True, False, False]
    assert CANARY not in str(made.resources)


def test_a_template_s_error_quotes_no_value(tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("\n{{ {}[password] + (password | int('x')) }}")
    with pytest.raises(UsageError) as caught:
        compiler().add_role("r", tmp_path, [Template("/etc/x", "x.j2", {"password": SECRET}, mode="0600")], [])
    assert "x.j2:2: UndefinedError: what it says is not shown" in str(caught.value)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
