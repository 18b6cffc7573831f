"""A saved plan's file: whole or refused by name, one content for all hosts, no secret in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping

import pytest

from fleet.content import Content
from fleet.errors import FleetError, HostError, UsageError
from fleet.plan import Change, Plan
from fleet.saved import file, host, seal
from fleet.saved.host import Desired, KeptHost
from tests.unit.fleet.wire import FACTS

KEY = seal.Key(b"k" * 32)
WORD = "hunter2"
BIG = Content.of(b"b" * (host.SMALL + 1))
SMALL = Content.of(b"small")
SECRET = Content.of(WORD.encode())
CHANGE = Change("file:/changes", "r", False, "create", "create /changes", "+x\n", "f" * 64)
ABOUT = {
    "run": "run-1",
    "who": "ann",
    "made": "now",
    "roles": ["r"],
    "role_path": "",
    "set": [],
    "inputs": {},
    "key": KEY.name,
    "left_out": {},
}


def resource(name: str, content: Content, **fields: Any) -> Dict[str, Any]:
    told = {"sha256": content.sha256, "size": content.size}
    return {
        "kind": "file",
        "id": f"file:/{name}",
        "role": "r",
        "handler": False,
        "path": f"/{name}",
        "content": told,
        "secret": False,
        **fields,
    }


def desired(*resources: Dict[str, Any], contents: List[Content]) -> Desired:
    return Desired(list(resources), [], {content.sha256: content for content in contents})


def plain() -> Desired:
    return desired(resource("changes", BIG), resource("small", SMALL), contents=[BIG, SMALL])


def kept(name: str = "h1", wanted: Desired = plain(), plan: Plan = Plan((CHANGE,))) -> KeptHost:  # noqa: B008 # read only
    return host.keep(name, "10.0.0.1", {**FACTS, "hostname": name, "machine": f"m-{name}"}, wanted, plan, KEY)


def written(path: Path, *hosts: str) -> Path:
    file.write(path / "x.plan", ABOUT, {name: kept(name) for name in hosts or ("h1",)})
    return path / "x.plan"


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "h1", "h2")
    plan = file.read(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.plan"]
    assert plan.hosts == ["h1", "h2"]
    saved = plan.host("h2")
    assert (saved.hostname, saved.target, saved.plan, saved.expected) == ("h2", "10.0.0.1", Plan((CHANGE,)), {CHANGE.id: "f" * 64})
    assert saved.resources == plain().resources
    contents = plan.contents()
    assert {digest: b"".join(content.chunks()) for digest, content in contents.items()} == {
        BIG.sha256: BIG.source,
        SMALL.sha256: SMALL.source,
    }


def test_a_content_is_there_once_for_all_hosts(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tmp_path, *(f"h{number}" for number in range(20)))) as archive:
        assert len([name for name in archive.namelist() if name.startswith("contents/")]) == 2


def test_large_contents_that_do_not_change_stay_at_home() -> None:
    assert set(kept(plan=Plan()).contents) == {SMALL.sha256}


def test_packages_that_are_sent_are_taken_along() -> None:
    files = {"docker-ce": {"sha256": BIG.sha256, "size": BIG.size}}
    package = {"kind": "package", "id": CHANGE.id, "role": "r", "handler": False, "names": ["docker-ce"], "files": files}
    assert list(kept(wanted=desired(package, contents=[BIG])).contents) == [BIG.sha256]


def test_probes_take_theirs_along() -> None:
    probe = {"name": "r/p", "argv": ["x"], "contents": {"image": {"sha256": BIG.sha256, "size": BIG.size}}}
    wanted = Desired([], [probe], {BIG.sha256: BIG})
    assert set(kept(wanted=wanted, plan=Plan()).contents) == {BIG.sha256}


def rewritten(path: Path, change: Callable[[Dict[str, bytes]], object], comment: bool = False) -> None:
    """The file with its members changed by somebody who knows zip; with `comment`, the digest of plan.json is made right too."""
    with zipfile.ZipFile(path) as archive:
        members, said = {name: archive.read(name) for name in archive.namelist()}, archive.comment
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        archive.comment = hashlib.sha256(members.get("plan.json", b"")).hexdigest().encode() if comment else said


def edit(members: Dict[str, bytes], **fields: Any) -> None:
    members["plan.json"] = json.dumps({**json.loads(members["plan.json"]), **fields}).encode()


@pytest.mark.parametrize(
    ("change", "comment", "said"),
    [
        (lambda members: members.update({"hosts/0.json": b"{}"}), False, "somebody changed it"),
        (lambda members: members.update({f"contents/{SMALL.sha256}": b"smell"}), False, "somebody changed it"),
        (lambda members: members.pop(f"contents/{SMALL.sha256}"), False, "is damaged"),
        (lambda members: members.pop("hosts/0.json"), False, "is damaged"),
        (lambda members: members.pop("plan.json"), True, "is no saved plan"),
        (lambda members: edit(members, who="eve"), False, "plan.json in it is not as it was written"),
        (lambda members: edit(members, format=2), True, "is of format 2, and this Skiff reads format 1"),
        (lambda members: edit(members, format="1"), True, "is no saved plan"),
        (lambda members: edit(members, kind="other"), True, "is no saved plan"),
        (lambda members: edit(members, hosts=[]), True, "is damaged"),
        (lambda members: members.update({"plan.json": b"[]"}), True, "is no saved plan"),
        (lambda members: members.update({"plan.json": b"{"}), True, "is damaged"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_as_it_was_is_refused_by_name(
    tmp_path: Path, change: Callable[[Dict[str, bytes]], object], comment: bool, said: str
) -> None:
    path = written(tmp_path)
    rewritten(path, change, comment)
    path.chmod(0o600)
    with pytest.raises(UsageError) as raised:
        file.read(path)
    assert raised.value.brief.startswith(f"{path}: ")
    assert said in raised.value.brief
    assert raised.value.resolution


@pytest.mark.parametrize("position", range(0, 3000, 97))
def test_every_damaged_byte_is_noticed_or_does_not_matter(tmp_path: Path, position: int) -> None:
    path = written(tmp_path)
    before = file.read(path)
    data = bytearray(path.read_bytes())
    data[position % len(data)] ^= 0x55
    path.write_bytes(data)
    with contextlib.suppress(UsageError):
        after = file.read(path)
        assert (after.manifest, after.host("h1")) == (before.manifest, before.host("h1"))


@pytest.mark.parametrize("data", [b"", b"text", b"PK\x03\x04" + b"\0" * 40])
def test_what_is_no_plan_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="is no saved plan"):
        file.read(path)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match="is no saved plan, or is damaged"):
        file.read(path)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path)
    file.refuse_shared(file.read(path))
    path.chmod(mode)
    assert file.read(path).hosts == ["h1"]
    with pytest.raises(UsageError, match="others can write it"):
        file.refuse_shared(file.read(path))


def test_the_file_that_was_read_is_judged_not_what_was_put_in_its_place(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.chmod(0o666)
    plan = file.read(path)
    path.unlink()
    path.symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="others can write it"):
        file.refuse_shared(plan)


def test_no_file_and_a_directory_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            file.read(path)


@pytest.mark.parametrize("name", ["none/x.plan", "."])
def test_what_cannot_be_written_is_told_before_any_host_is_met(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"--out: .* cannot be written"):
        file.refuse_unwritable(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_the_old_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file, "put", full)
    with pytest.raises(FleetError, match="No space left"):
        written(tmp_path, "h2")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.plan"]


# Secrets


@pytest.mark.parametrize("kind", ["archive", "probe"])
def test_a_secret_that_cannot_be_sealed_keeps_its_host_out(kind: str) -> None:
    told = {"sha256": SECRET.sha256, "size": SECRET.size}
    probes = [{"name": "r/p", "argv": ["x"], "contents": {"word": told}}] if kind == "probe" else []
    resources = [{**resource("changes", SECRET), "kind": kind}] if kind == "archive" else []
    wanted = Desired(resources, probes, {SECRET.sha256: SECRET}, secret_contents={SECRET.sha256})
    with pytest.raises(HostError, match="holds a secret"):
        kept(wanted=wanted)


def secret_file(content: Content = SECRET) -> Dict[str, Any]:
    return resource("changes", content, secret=True)


def secret_json(word: str = WORD) -> Dict[str, Any]:
    return {
        "kind": "json",
        "id": "file:/j",
        "role": "r",
        "handler": False,
        "path": "/j",
        "values": {"token": word},
        "secret": True,
        "secrets": [["token"]],
    }


def secret_command(content: Content = SECRET) -> Dict[str, Any]:
    told = {"sha256": content.sha256, "size": content.size}
    return {"kind": "command", "id": "command:c", "role": "r", "handler": False, "argv": ["x"], "stdin": told, "secret": True}


def secret_repository(word: str = WORD) -> Dict[str, Any]:
    options = {"proxy": "http://proxy.test:3128", "proxy_password": word}
    return {"kind": "repository", "id": "repository:x", "role": "r", "handler": False, "options": options, "secret": True}


def sealed() -> Desired:
    return desired(secret_file(), secret_json(), secret_repository(), secret_command(), contents=[SECRET])


def test_no_secret_and_no_digest_of_one_is_in_the_file(tmp_path: Path) -> None:
    leaking = replace(CHANGE, diff=f"+{WORD}\n")
    file.write(tmp_path / "x.plan", ABOUT, {"h1": kept(wanted=sealed(), plan=Plan((leaking,)))})
    with zipfile.ZipFile(tmp_path / "x.plan") as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist()) + "".join(archive.namelist()).encode()
    assert b"file:/changes" in everything
    assert b"differences not shown" in everything
    for word in (WORD, SECRET.sha256, hashlib.sha256(json.dumps({"token": WORD}).encode()).hexdigest()):
        assert word.encode() not in everything


def test_secrets_are_taken_anew(tmp_path: Path) -> None:
    file.write(tmp_path / "x.plan", ABOUT, {"h1": kept(wanted=sealed())})
    saved = file.read(tmp_path / "x.plan").host("h1")
    assert sorted(saved.sealed) == ["command:c", "file:/changes", "file:/j", "repository:x"]
    assert host.with_secrets(saved, sealed().resources, KEY) == sealed().resources


@pytest.mark.parametrize(
    ("fresh", "key"),
    [
        ([secret_file(Content.of(b"hunter3")), secret_json(), secret_repository(), secret_command()], KEY),
        ([secret_file(), secret_json("hunter3"), secret_repository(), secret_command()], KEY),
        ([secret_file(), secret_json(), secret_repository("hunter3"), secret_command()], KEY),
        ([secret_file(), secret_json(), secret_repository(), secret_command(Content.of(b"hunter3"))], KEY),
        ([secret_file(), secret_repository(), secret_command()], KEY),
        ([secret_file(), secret_json(), secret_repository(), secret_command()], seal.Key(b"l" * 32)),
        ([secret_file(), secret_json(), secret_repository(), secret_command()], None),
    ],
)
def test_a_secret_that_changed_since_is_refused_by_its_resources_name(
    fresh: List[Dict[str, Any]], key: seal.Key, tmp_path: Path
) -> None:
    file.write(tmp_path / "x.plan", ABOUT, {"h1": kept(wanted=sealed())})
    with pytest.raises(HostError, match=r"(file:/.*|repository:x|command:c): the secret in it changed since") as raised:
        host.with_secrets(file.read(tmp_path / "x.plan").host("h1"), fresh, key)
    assert "hunter" not in str(raised.value)


def test_all_else_than_the_secret_stays_as_it_was_planned(tmp_path: Path) -> None:
    file.write(tmp_path / "x.plan", ABOUT, {"h1": kept(wanted=sealed())})
    fresh = [{**secret_file(), "path": "/elsewhere"}, secret_json(), secret_repository(), secret_command()]
    assert host.with_secrets(file.read(tmp_path / "x.plan").host("h1"), fresh, KEY)[0]["path"] == "/changes"


def test_a_seal_is_another_one_for_each_host_resource_and_key() -> None:
    wires: List[Mapping[str, Any]] = [secret_file(), {**secret_file(), "id": "file:/other"}]
    seals = [key.seal(name, wire) for key in (KEY, seal.Key(b"l" * 32)) for name in ("h1", "h2") for wire in wires]
    assert len(set(seals)) == 8


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    assert seal.own_key(make=False, directory=tmp_path) is None
    first, second = (seal.own_key(make=True, directory=tmp_path / "state") for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.name == second.name
    path = tmp_path / "state" / seal.FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().strip() not in (first.name, repr(first))
    path.chmod(0o640)
    with pytest.raises(UsageError, match="can be read by others"):
        seal.own_key(make=False, directory=tmp_path / "state")


@pytest.mark.parametrize("facts", [{"machine": "m-h2"}, {"hostname": "h2"}, {"machine": ""}])
def test_another_host_is_refused(tmp_path: Path, facts: Dict[str, str]) -> None:
    saved = file.read(written(tmp_path)).host("h1")
    own = {"hostname": "h1", "machine": "m-h1"}
    saved.refuse_other(own)
    with pytest.raises(HostError, match="not the host that was planned"):
        saved.refuse_other({**own, **facts})
