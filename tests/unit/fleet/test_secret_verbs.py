"""The secrets tasks by what they read and write: YAML left as it is around a value, files never half-written or more open."""

from __future__ import annotations

import io
import stat
import sys
from pathlib import Path
from typing import Any, Callable, List

import pyrage
import pytest
import yaml

from fleet.errors import UsageError
from fleet.inventory.document import parse
from fleet.inventory.load import read_inventory
from fleet.inventory.references import reference
from fleet.secrets import age, documents, verbs
from fleet.secrets.resolver import Resolver

CANARY = "canary-4f1e-value"


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "me" / "age.txt"
    monkeypatch.setenv("SKIFF_AGE_IDENTITY", str(path))
    verbs.keygen("", lambda _: None)
    return path


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def encrypted(text: str, typed: Callable[[str], None], home: Path, name: str = "", recipients: Any = ()) -> str:
    said: List[str] = []
    typed(text)
    verbs.encrypt(name, recipients, home, said.append)
    return said[0] + "\n"


def decrypted(path: Path, key: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    verbs.decrypt(str(path), key)
    return capsys.readouterr().out


def inventory(tmp_path: Path, typed: Callable[[str], None]) -> Path:
    path = tmp_path / "hosts.yml"
    first = documents.form(age.encrypt("one", age.own_recipients(age.identity_file())), "").rstrip().replace("\n", "\n        ")
    text = f"# kept\nvars:\n  a: 'quoted'   # kept too\n  registry_password:\n{second(typed, tmp_path)}\n\nhosts:\n  web1:\n"
    text += f"      ssh_password:\n        {first}\n      port: 22\n"
    path.write_text(text)
    path.chmod(0o640)
    return path


def second(typed: Callable[[str], None], home: Path) -> str:
    return "".join(f"    {line}\n" for line in encrypted("two\n", typed, home).splitlines())


def test_a_new_identity_is_its_owner_s_alone_and_never_replaced(identity: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    assert stat.S_IMODE(identity.parent.stat().st_mode) == 0o700
    before = identity.read_text()
    with pytest.raises(UsageError, match="is there already, and is not replaced"):
        verbs.keygen("", lambda _: None)
    assert identity.read_text() == before
    said: List[str] = []
    verbs.keygen(str(identity.with_name("other")), said.append)
    assert said == [str(one) for one in age.own_recipients(identity.with_name("other"))]
    assert "SECRET" not in "".join(said) + "".join(capsys.readouterr())


@pytest.mark.parametrize(("text", "kept"), [("pw\n", "pw"), ("pw", "pw"), ("a\nb\n", "a\nb\n"), ("ä \"'\\ {{ x }}", None)])
def test_what_is_encrypted_is_pasted_and_read(text: str, kept: Any, typed: Callable[[str], None], tmp_path: Path) -> None:
    said = encrypted(text, typed, tmp_path, "registry_password")
    entry = parse(said, Path("all.yml")).mapping()["registry_password"]
    found = reference(entry)
    assert found is not None
    assert Resolver()(found).reveal() == (kept or text)


def test_decrypt_reads_what_encrypt_printed(
    typed: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "all.yml"
    path.write_text(encrypted(CANARY, typed, tmp_path, "a") + encrypted("other", typed, tmp_path, "b"))
    assert decrypted(path, "a", capsys) == CANARY
    with pytest.raises(UsageError, match="holds several encrypted values") as caught:
        verbs.decrypt(str(path), "")
    assert caught.value.resolution == "name one by --key: a, b"
    with pytest.raises(UsageError, match="has no encrypted value 'c'"):
        verbs.decrypt(str(path), "c")
    armoured = "\n".join(f"     {line}" for line in yaml.safe_load(path.read_text())["a"]["secret"]["age"].splitlines())
    typed(armoured)
    verbs.decrypt("", "")
    assert capsys.readouterr().out == CANARY


def test_nothing_is_encrypted_of_nothing(typed: Callable[[str], None], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no value to encrypt"):
        encrypted("\n", typed, tmp_path)


def test_an_edit_changes_one_value_and_nothing_else(
    typed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = inventory(tmp_path, typed)
    before, seen = path.read_text(), tmp_path / "seen"
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\nstat -c %a%n $1 $(dirname $1) >{seen}; cat $1 >>{seen}; echo {CANARY} > $1\n")
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    verbs.edit(str(path), "hosts.web1.ssh_password", [], tmp_path, lambda _: None)
    after = path.read_text()
    assert decrypted(path, "hosts.web1.ssh_password", capsys) == CANARY
    assert decrypted(path, "vars.registry_password", capsys) == "two"
    old, new = ([line for line in text.splitlines() if len(line.strip()) < 60 and line.count("=") < 1] for text in (before, after))
    assert [line for line in old if ":" in line or not line] == [line for line in new if ":" in line or not line]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    shown = seen.read_text().splitlines()
    assert [line[:3] for line in shown[:2]] == ["600", "700"]
    assert shown[2:] == ["one"]
    assert not Path(shown[1][3:]).exists()
    assert read_inventory([path]).names == ["web1"]


@pytest.mark.parametrize(("script", "message"), [("exit 1", "ended with status 1"), (": > $1", "the value would be empty")])
def test_an_edit_that_fails_changes_nothing(
    script: str, message: str, typed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inventory(tmp_path, typed)
    before = path.read_bytes()
    (tmp_path / "editor").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "editor").chmod(0o755)
    monkeypatch.setenv("VISUAL", str(tmp_path / "editor"))
    with pytest.raises(UsageError, match=message):
        verbs.edit(str(path), "vars.registry_password", [], tmp_path, lambda _: None)
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} == {"hosts.yml", "editor", "me"}


def test_a_value_left_as_it_is_leaves_the_file(
    typed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = inventory(tmp_path, typed)
    before, said = path.read_bytes(), list[str]()
    monkeypatch.setenv("VISUAL", "true")
    verbs.edit(str(path), "vars.registry_password", [], tmp_path, said.append)
    assert (path.read_bytes(), said) == (before, [f"{path}: unchanged"])


def test_rekey_shares_every_value_with_those_in_recipients_txt(
    typed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = inventory(tmp_path, typed), pyrage.x25519.Identity.generate()
    (tmp_path / "recipients.txt").write_text(f"# a colleague\n{other.to_public()}\n")
    said: List[str] = []
    verbs.rekey([], [], tmp_path, said.append)
    assert said == [f"{path}: 2 encrypted anew for 1 recipient"]
    with pytest.raises(UsageError, match="cannot be decrypted"):
        verbs.decrypt(str(path), "vars.registry_password")
    (tmp_path / "theirs").write_text(str(other))
    (tmp_path / "theirs").chmod(0o600)
    monkeypatch.setenv("SKIFF_AGE_IDENTITY", str(tmp_path / "theirs"))
    assert decrypted(path, "vars.registry_password", capsys) == "two"
    assert decrypted(path, "hosts.web1.ssh_password", capsys) == "one"
    assert "# kept\nvars:\n  a: 'quoted'   # kept too\n" in path.read_text()


def test_rekey_writes_nothing_where_one_value_cannot_be_opened(typed: Callable[[str], None], tmp_path: Path) -> None:
    path, other = inventory(tmp_path, typed), pyrage.x25519.Identity.generate()
    stranger = tmp_path / "z.yml"
    stranger.write_text(documents.form(age.encrypt("x", [other.to_public()]), "x"))
    before = path.read_bytes()
    with pytest.raises(UsageError, match=r"z.yml: x: cannot be decrypted"):
        verbs.rekey([], [], tmp_path, lambda _: None)
    assert path.read_bytes() == before


@pytest.mark.parametrize("given", ["age1nonsense", "ssh-ed25519 AAAA", "/no/such/file"])
def test_a_recipient_that_is_none_is_refused(given: str, typed: Callable[[str], None], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        encrypted("x", typed, tmp_path, recipients=[given])


def test_an_identity_in_the_place_of_a_recipient_is_not_quoted(identity: Path) -> None:
    secret = identity.read_text().splitlines()[1]
    with pytest.raises(UsageError) as caught:
        age.recipient(secret)
    assert secret not in str(caught.value)
