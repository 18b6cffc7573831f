from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, List, Optional

import pytest

from fleet.checks import Probe
from fleet.content import Content
from fleet.errors import UsageError
from fleet.facts import Facts
from fleet.inventory.document import parse
from fleet.resources import Command, File, Handler, JsonFile, Template, Unit
from fleet.roles import ORDER, defaults, loader
from fleet.roles.compile import Compiler
from fleet.roles.templates import render
from fleet.variables import Variable, Variables
from tests.unit.fleet.wire import FACTS

CARELESS: Any = Path("/x")
ROLE = "def resources(facts, variables):\n    return []\n"


def role(directory: Path, name: str, text: str = ROLE, **files: str) -> Path:
    (directory / name).mkdir(parents=True)
    (directory / name / "role.py").write_text(text)
    for file, content in files.items():
        (directory / name / file.replace("_", ".")).write_text(content)
    return directory / name


def test_roles_come_in_the_one_order_and_a_users_own_after_them(tmp_path: Path) -> None:
    for name in ("service", "kernel", "zeta", "alpha"):
        role(tmp_path / "roles", name)
    own = tmp_path / "own"
    role(own, "beta")
    role(own, "kernel")
    found = loader.find(tmp_path / "roles", own)
    assert list(found) == ["kernel", "service", "beta"]
    assert found["kernel"].parent == own


def test_the_built_in_roles_are_those_of_the_order() -> None:
    assert tuple(loader.find(loader.BUILT_IN, None)) == ORDER
    loaded = [loader.load_role(name, path) for name, path in loader.find(loader.BUILT_IN, None).items()]
    assert "firewalld" in defaults.merge(each.variables for each in loaded)


def test_a_role_path_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--role-path: .*nowhere is no directory"):
        loader.find(tmp_path, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("wanted", "skipped", "names"),
    [([], [], ["a", "b", "c"]), (["c", "a"], [], ["a", "c"]), ([], ["b"], ["a", "c"]), (["a", "b"], ["b"], ["a"])],
)
def test_roles_are_chosen_in_their_order(wanted: List[str], skipped: List[str], names: List[str]) -> None:
    assert loader.select(["a", "b", "c"], wanted, skipped) == names


def test_a_role_that_is_not_there_and_no_role_at_all_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--roles: there is no role 'kernl'\ndid you mean 'kernel'\?"):
        loader.select(["kernel"], ["kernl"], [])
    with pytest.raises(UsageError, match="--skip-roles: there is no role"):
        loader.select(["kernel"], [], ["x"])
    with pytest.raises(UsageError, match="leave no role"):
        loader.select(["kernel"], [], ["kernel"])


def test_functions_that_a_role_leaves_out_give_nothing(tmp_path: Path) -> None:
    loaded = loader.load_role("own", role(tmp_path, "own"))
    facts, variables = Facts.from_wire(FACTS), Variables({})
    assert not loaded.refusals(facts, variables)
    assert not loaded.probes(facts, variables)
    assert not loaded.judge(facts, variables, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nimport nothing_such\n", "role.py:2: cannot be imported: ModuleNotFoundError: No module named"),
        ("\n\ndef resources(:\n", "role.py:3: cannot be imported: SyntaxError: invalid syntax$"),
        ("import json\njson.loads('x')\n", "role.py:2: cannot be imported: JSONDecodeError"),
        ("raise SystemExit(0)\n", "role.py:1: cannot be imported: SystemExit: 0"),
        ("x = 1\n", "has no function resources"),
    ],
)
def test_a_faulty_role_is_refused_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        loader.load_role("own", role(tmp_path, "own", text))
    assert str(tmp_path / "own" / "role.py") in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {type: string, default: x}", "defaults.yml:1: a: lacks the key 'help'"),
        ("a: {type: text, default: x, help: h}", "defaults.yml:1: a.type: should be one of string, integer"),
        ("a: {type: integer, default: x, help: h}", "defaults.yml:1: a.default: should be an integer, not 'x'"),
        ("a: {type: string, default: x, choices: [y], help: h}", "a.default: should be one of y, not 'x'"),
        ("a: {type: string, default: x, help: h, hepl: h}", "a.hepl: unknown key\ndid you mean 'help'?"),
        ("port: {type: integer, default: 1, help: h}", "port: is a name of the suite's own"),
    ],
)
def test_a_faulty_declaration_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "defaults.yml").write_text(text + "\n")
    with pytest.raises(UsageError) as caught:
        defaults.read_defaults("r", tmp_path / "defaults.yml")
    assert message in str(caught.value)


def test_two_roles_cannot_declare_one_variable() -> None:
    first, second = ({"x": Variable("x", name, "string", "", "")} for name in ("a", "b"))
    with pytest.raises(UsageError, match="the roles a and b both declare the variable 'x'"):
        defaults.merge([first, second])


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("string", "1", "should be a string, not 1"),
        ("integer", "true", "should be an integer, not True"),
        ("boolean", "'no'", "should be true or false, not 'no'"),
        ("strings", "[a, 1]", "should be a list of strings"),
        ("mapping", "[a]", "should be a mapping"),
        ("string", "blue", "should be one of red, green, not 'blue'"),
    ],
)
def test_a_setting_of_the_wrong_type_is_refused_with_its_place(kind: str, value: str, message: str) -> None:
    declared = {"x": Variable("x", "r", kind, None, "The help.", ("red", "green") if value == "blue" else ())}
    entry = parse(value, Path("hosts.yml"), "vars.x")
    with pytest.raises(UsageError) as caught:
        defaults.check(declared, [("x", entry)])
    assert f"hosts.yml:1: vars.x: {message}" in str(caught.value)
    assert "The help." in str(caught.value)


def test_a_setting_that_no_role_knows_is_refused_with_the_likely_word() -> None:
    entry = parse("x", None, "--set firewald")
    with pytest.raises(
        UsageError, match=r"the command line: --set firewald: no role has such a variable\ndid you mean 'firewalld'\?"
    ):
        defaults.check({"firewalld": Variable("firewalld", "r", "string", "", "")}, [("firewald", entry)])


def test_values_are_the_defaults_under_what_is_set() -> None:
    declared = {name: Variable(name, "r", "strings", ["d"], "") for name in ("a", "b")}
    assert defaults.values(declared, {"a": parse("[x]")}) == {"a": ["x"], "b": ["d"]}


def test_resources_go_over_the_wire_as_plain_data_with_contents_by_digest() -> None:
    compiler = Compiler()
    content = Content.of(b"hi")
    handler = Handler(Command("again", ("true",)), ("file:/etc/x",))
    probe = Probe("ask", ("cat", "{f}"), contents={"f": content})
    compiler.add_role("r", Path(), [File("/etc/x", content, validate=("check", "{}")), handler], [probe])
    wire, second = compiler.resources
    assert (wire["kind"], wire["id"]) == ("file", "file:/etc/x")
    assert wire["content"] == {"sha256": content.sha256, "size": 2}
    assert wire["validate"] == ["check", "{}"]
    assert (wire["role"], wire["handler"]) == ("r", False)
    assert (second["handler"], second["listens"], second["argv"]) == (True, ["file:/etc/x"], ["true"])
    assert compiler.probes[0]["name"] == "r/ask"
    assert compiler.probes[0]["contents"] == {"f": {"sha256": content.sha256, "size": 2}}
    assert compiler.contents == {content.sha256: content}


def test_what_several_hosts_want_is_held_once() -> None:
    compilers = [Compiler(), Compiler()]
    for compiler in compilers:
        compiler.add_role("r", Path(), [File("/etc/x", Content.of(b"the same bytes"))], [])
    first, second = (next(iter(compiler.contents.values())) for compiler in compilers)
    assert first is second


def test_a_template_becomes_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.j2").write_text("a={{ a }}\n{% if b %}\nb\n{% endif %}\nend\n")
    compiler = Compiler()
    compiler.add_role("r", tmp_path, [Template("/etc/x", "x.j2", {"a": 1, "b": True}, mode="0600", secret=True)], [])
    (wire,) = compiler.resources
    assert (wire["kind"], wire["mode"], wire["secret"], wire["state"]) == ("file", "0600", True, "present")
    assert compiler.contents[wire["content"]["sha256"]].source == b"a=1\nb\nend\n"
    assert "template" not in wire


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n{{ missing }}\n", "t.j2:2: UndefinedError: 'missing' is undefined"),
        ("one\n\n{% if %}\n", "t.j2:3: Expected an expression"),
        ("{{ 1 / 0 }}\n", "t.j2:1: ZeroDivisionError"),
        (None, "t.j2: there is no such template"),
        ("one\n{% include 'no.j2' %}\n", "no.j2: there is no such template"),
        ("one\n{% include 'below/part.j2' %}\n", "below/part.j2:3: UndefinedError: 'missing' is undefined"),
    ],
)
def test_a_faulty_template_is_refused_with_its_line(tmp_path: Path, text: Optional[str], message: str) -> None:
    if text is not None:
        (tmp_path / "t.j2").write_text(text)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "part.j2").write_text("a\n\n{{ missing }}\n")
    with pytest.raises(UsageError) as caught:
        render(tmp_path, "t.j2", {})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("items", "probes", "message"),
    [
        (["/etc/x"], [], r"role r: resources\(\) should give resources and handlers, not str"),
        ([], ["true"], r"role r: probes\(\) should give probes, not str"),
        ([JsonFile("/x", {"a": [datetime.date(2001, 1, 1)]})], [], "^file:/x: values: should hold strings, .* not date$"),
        ([JsonFile("/x", {"a": float("nan")})], [], "^file:/x: values: should be a finite number$"),
        ([File(CARELESS)], [], "^file:/x: path: should hold strings, .* not PosixPath$"),
    ],
)
def test_what_cannot_go_over_the_wire_is_refused_by_name(items: List[Any], probes: List[Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Compiler().add_role("r", Path(), items, probes)


def test_a_resource_declared_twice_is_refused() -> None:
    compiler = Compiler()
    compiler.add_role("one", Path(), [File("/etc/x")], [])
    with pytest.raises(UsageError, match="role two: the resource file:/etc/x is declared already by role one"):
        compiler.add_role("two", Path(), [File("/etc/x")], [])


@pytest.mark.parametrize(
    "listener",
    [
        Handler(Command("c", ("true",)), ("file:/no",)),
        Unit("u.service", restart_on=("file:/no",)),
        Unit("u.service", reload_on=("file:/no",)),
        Command("c", ("true",), on_change=("file:/no",)),
    ],
)
def test_listening_to_what_is_not_there_is_refused(listener: object) -> None:
    compiler = Compiler()
    compiler.add_role("r", Path(), [listener], [])  # type: ignore[list-item] # rows of both kinds
    with pytest.raises(UsageError, match="listens to file:/no, which no role declares"):
        compiler.refuse_dangling()
