from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

import pytest
import yaml

from fleet import schema
from fleet.errors import UsageError
from fleet.inventory.settings import CONNECTION_KEYS
from fleet.roles import ORDER, defaults
from fleet.roles.loader import BUILT_IN

ROOT = Path(__file__).resolve().parents[3]
DECLARED = defaults.merge(defaults.read_defaults(role, BUILT_IN / role / "defaults.yml") for role in ORDER)
SCHEMAS = schema.schemas(DECLARED)
TYPES: Mapping[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int}
SAID = {"$schema", "$defs", "title", "description", "default", "then"}


def is_of(value: object, name: str) -> bool:
    return isinstance(value, TYPES[name]) and not (name == "integer" and isinstance(value, bool))


def faults(value: Any, form: Mapping[str, Any], whole: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """What a JSON Schema has against a value: of the keywords, those that are generated, and a KeyError for any other."""
    for keyword, rule in form.items():
        if keyword not in SAID and not KEYWORDS[keyword](value, rule, form, whole):
            yield f"{at}: {keyword}"
    if isinstance(value, dict):
        for key, item in value.items():
            below = form.get("properties", {}).get(key, form.get("additionalProperties"))
            if isinstance(below, dict):
                yield from faults(item, below, whole, f"{at}.{key}")
    if isinstance(value, list) and "items" in form:
        for number, item in enumerate(value):
            yield from faults(item, form["items"], whole, f"{at}[{number}]")
    if "$ref" in form:
        yield from faults(value, whole["$defs"][form["$ref"].rpartition("/")[2]], whole, at)
    for part in form.get("allOf", ()):
        if fits(value, part["if"], whole):
            yield from faults(value, part["then"], whole, at)


def fits(value: Any, form: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return not list(faults(value, form, whole))


KEYWORDS: Dict[str, Any] = {
    "type": lambda value, rule, form, whole: any(is_of(value, name) for name in ([rule] if isinstance(rule, str) else rule)),
    "enum": lambda value, rule, form, whole: value in rule,
    "const": lambda value, rule, form, whole: value == rule,
    "minItems": lambda value, rule, form, whole: not isinstance(value, list) or len(value) >= rule,
    "minLength": lambda value, rule, form, whole: not isinstance(value, str) or len(value) >= rule,
    "minimum": lambda value, rule, form, whole: not is_of(value, "integer") or value >= rule,
    "maximum": lambda value, rule, form, whole: not is_of(value, "integer") or value <= rule,
    "pattern": lambda value, rule, form, whole: not isinstance(value, str) or re.search(rule, value) is not None,
    "required": lambda value, rule, form, whole: not isinstance(value, dict) or set(rule) <= set(value),
    "not": lambda value, rule, form, whole: not fits(value, rule, whole),
    "anyOf": lambda value, rule, form, whole: any(fits(value, each, whole) for each in rule),
    "propertyNames": lambda value, rule, form, whole: not isinstance(value, dict) or all(fits(key, rule, whole) for key in value),
    "additionalProperties": lambda value, rule, form, whole: (
        rule is not False or not isinstance(value, dict) or set(value) <= set(form.get("properties", ()))
    ),
    # Followed above.
    "properties": lambda value, rule, form, whole: True,
    "items": lambda value, rule, form, whole: True,
    "allOf": lambda value, rule, form, whole: True,
    "if": lambda value, rule, form, whole: True,
    "$ref": lambda value, rule, form, whole: True,
}


def told(name: str, text: str) -> List[str]:
    return list(faults(yaml.safe_load(text), SCHEMAS[name], SCHEMAS[name]))


def documented() -> Iterator[str]:
    yield (ROOT / "inventory" / "hosts.yml").read_text(encoding="utf-8")
    commented = (
        (ROOT / "inventory" / "hosts.yml").read_text(encoding="utf-8").partition("#\n")[2].partition("# Connection settings")[0]
    )
    yield re.sub(r"(?m)^# ?", "", commented)
    guide = (ROOT / "docs" / "guides" / "inventory.md").read_text(encoding="utf-8")
    secrets = (ROOT / "docs" / "guides" / "secrets.md").read_text(encoding="utf-8")
    yield from re.findall(r"```yaml\n((?:#[^\n]*\n)*(?:vars|hosts|groups):.*?)```", guide + secrets, re.DOTALL)


@pytest.mark.parametrize("text", list(documented()))
def test_the_documented_inventories_fit(text: str) -> None:
    assert told("hosts", text) == []


def test_the_documented_inventories_are_examples_of_every_part() -> None:
    found = [set(yaml.safe_load(text) or ()) for text in documented()]
    assert found[1] == found[2] == {"vars", "hosts", "groups"}


def test_the_lab_s_machines_fit() -> None:
    assert told("lab", (ROOT / "inventory" / "lab.yml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("role", ORDER)
def test_every_roles_defaults_fit(role: str) -> None:
    assert told("defaults", (BUILT_IN / role / "defaults.yml").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("hosts", "host: {}", ": additionalProperties"),
        ("hosts", "hosts: [a]", ".hosts: type"),
        ("hosts", "hosts: {a: {port: 0}}", ".hosts.a.port: minimum"),
        ("hosts", "hosts: {a: {port: '22'}}", ".hosts.a.port: type"),
        ("hosts", "hosts: {a: {prot: 22}}", ".hosts.a: additionalProperties"),
        ("hosts", "hosts: {all: }", ".hosts: propertyNames"),
        ("hosts", "vars: {address: 10.0.0.1}", ".vars: additionalProperties"),
        ("hosts", "vars: {firewalld: open}", ".vars.firewalld: enum"),
        ("hosts", "vars: {extra_packages: [1]}", ".vars.extra_packages[0]: anyOf"),
        ("hosts", "groups: {all: {}}", ".groups: propertyNames"),
        ("hosts", "groups: {'a b': {}}", ".groups: propertyNames"),
        ("hosts", "groups: {g: {hosts: a}}", ".groups.g.hosts: anyOf"),
        ("hosts", "groups: {g: {children: {a: }}}", ".groups.g.children: type"),
        ("group_vars", "address: 10.0.0.1", ": additionalProperties"),
        ("host_vars", "connection: telnet", ".connection: enum"),
        ("host_vars", "ssh_password: hunter2", ".ssh_password: type"),
        ("host_vars", "become_password: {secret: {env: a b}}", ".become_password.secret: anyOf"),
        ("host_vars", "become_password: {secret: {age: hunter2}}", ".become_password.secret: anyOf"),
        ("host_vars", "become_password: {secret: {command: []}}", ".become_password.secret: anyOf"),
        ("host_vars", "become_password: {secret: {env: A, timeout: 3}}", ".become_password.secret: anyOf"),
        ("host_vars", "become_password: {secret: {env: A}, more: 1}", ".become_password: additionalProperties"),
        ("host_vars", "extra_packages: [{secret: {enw: A}}]", ".extra_packages[0]: anyOf"),
        ("defaults", "x: {type: secret, default: 1, help: h}", ".x.default: anyOf"),
        ("lab", "{memory: 256, cpus: 1, machines: [{name: a, box: b}]}", ".machines[0]: required"),
        ("lab", "{memory: 256, cpus: 1, machines: [{name: a, box: b, address: c}], provider: x}", ": additionalProperties"),
        ("lab", "{memory: 256, cpus: 1, machines: []}", ".machines: minItems"),
        (
            "lab",
            "{memory: 256, cpus: 1, machines: [{name: a, box: b, address: c}], libvirt: {driver: xen}}",
            ".libvirt.driver: enum",
        ),
        ("defaults", "x: {type: string, default: 1, help: h}", ".x.default: type"),
        ("defaults", "x: {type: strings, default: [1], help: h}", ".x.default[0]: anyOf"),
        ("defaults", "x: {type: text, default: '', help: h}", ".x.type: enum"),
        ("defaults", "x: {type: string, default: ''}", ".x: required"),
        ("defaults", "port: {type: integer, default: 1, help: h}", ": propertyNames"),
    ],
)
def test_what_the_suite_refuses_an_editor_marks(name: str, text: str, fault: str) -> None:
    assert told(name, text) == [fault]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts", ""),
        ("hosts", "vars:\nhosts:\ngroups:"),
        ("hosts", "hosts: {fd00::5: }\ngroups: {g: {hosts: {a: {address: x}}}, h: }"),
        ("host_vars", "{address: a, port: 22, become: false, sysctls: {a: '1'}}"),
        ("group_vars", "user: me"),
        ("group_vars", "{ssh_password: {secret: {env: A}}, extra_packages: [a, {secret: {command: [b, c], timeout: 5}}]}"),
        ("host_vars", "key_passphrase:\n  secret:\n    age: |\n      -----BEGIN AGE ENCRYPTED FILE-----\n"),
        ("defaults", "x: {type: secret, default: null, help: h}"),
        ("defaults", "x: {type: secret, default: {secret: {env: A}}, help: h}"),
    ],
)
def test_what_the_suite_reads_fits(name: str, text: str) -> None:
    assert told(name, text) == []


def test_every_connection_setting_and_variable_is_described() -> None:
    members = SCHEMAS["host_vars"]["properties"]
    assert set(members) == {*CONNECTION_KEYS, *DECLARED}
    assert all(member["description"] for member in members.values())


def test_files_are_written_and_their_names_told(tmp_path: Path) -> None:
    said: List[str] = []
    schema.generate(str(tmp_path / "out"), "", said.append)
    names = ["hosts", "group_vars", "host_vars", "defaults", "lab"]
    assert said == [str(tmp_path / "out" / f"{name}.schema.json") for name in names]
    assert json.loads((tmp_path / "out" / "hosts.schema.json").read_text(encoding="utf-8")) == SCHEMAS["hosts"]
    assert len(list((tmp_path / "out").iterdir())) == 5


def test_a_role_of_ones_own_is_described_too(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "role.py").touch()
    (tmp_path / "mine" / "defaults.yml").write_text("colour: {type: string, default: red, help: Which one.}\n")
    said: List[str] = []
    schema.generate("", str(tmp_path), said.append)
    assert json.loads(said[0])["host_vars"]["properties"]["colour"]["default"] == "red"


def test_a_directory_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--out: "):
        schema.generate(str(tmp_path / "file"), "", print)
