"""JSON Schemas (draft 2020-12) of inventory and role files, generated from what checks these files, for editors to use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Sequence

from fleet.errors import UsageError
from fleet.inventory import native, references, settings
from fleet.inventory.model import ALL
from fleet.roles import defaults, loader
from fleet.variables import TYPES, Variable

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = Dict[str, Any]
REFERENCE: Schema = {"$ref": "#/$defs/secret"}

CONNECTION: Mapping[str, Schema] = {
    "address": {
        "type": "string",
        "minLength": 1,
        "description": "IP address or name of the host, where its own name is not enough.",
    },
    "port": {"type": "integer", "minimum": 1, "maximum": 65535, "description": "SSH's port."},
    "user": {"type": "string", "minLength": 1, "description": "Who logs in; another than root becomes root by sudo."},
    "identity_file": {"type": "string", "minLength": 1, "description": "Private key, relative to the file that names it."},
    "known_hosts": {"type": "string", "minLength": 1, "description": "Host keys, instead of ~/.ssh/known_hosts."},
    "become": {"type": "boolean", "description": "Whether a user other than root becomes root by sudo (default: true)."},
    "connection": {"enum": list(settings.CONNECTIONS), "description": "local is this machine, without SSH."},
    "ssh_password": {**REFERENCE, "description": "The login user's password, as a secret."},
    "key_passphrase": {**REFERENCE, "description": "What opens identity_file, as a secret."},
    "become_password": {**REFERENCE, "description": "sudo's password, as a secret."},
}
FORMS: Mapping[str, Schema] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "boolean": {"type": "boolean"},
    "strings": {"type": "array", "items": {"anyOf": [{"type": "string"}, REFERENCE]}},
    "mapping": {"type": "object"},
    "secret": {"anyOf": [REFERENCE, {"type": "string", "minLength": 1}, {"type": "null"}]},
}
STRINGS: Schema = {"type": "array", "items": {"type": "string"}}


def generate(out: str, role_path: str, report: Callable[[str], None]) -> None:
    """Writes every schema into the directory `out`, or reports them all as one document.

    Raises:
        UsageError: a role is faulty, or the directory cannot be written to.
    """
    own = role_path or os.environ.get("SKIFF_ROLE_PATH", "")
    paths = loader.find(loader.BUILT_IN, Path(own) if own else None)
    declared = defaults.merge(defaults.read_defaults(role, path / "defaults.yml") for role, path in paths.items())
    found = schemas(declared)
    if not out:
        report(json.dumps(found, indent=2, ensure_ascii=False))
        return
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        for name, schema in found.items():
            path = Path(out) / f"{name}.schema.json"
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            aside.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            aside.replace(path)
            report(str(path))
    except OSError as error:
        raise UsageError(f"--out: {out}: {error.strerror}") from error


def schemas(declared: Mapping[str, Variable]) -> Dict[str, Schema]:
    """Every schema by the name of what it describes."""
    return {
        "hosts": hosts(declared),
        "group_vars": titled("Settings of a group, or of all hosts", with_secret(of_settings(declared, of_host=False))),
        "host_vars": titled("Settings of a host", with_secret(of_settings(declared, of_host=True))),
        "defaults": with_secret(of_defaults()),
        "lab": titled("The virtual machines of the Vagrantfile", of_lab()),
    }


def with_secret(schema: Schema) -> Schema:
    """A document in which secrets may stand."""
    return {**schema, "$defs": {"secret": of_secret()}}


def of_secret() -> Schema:
    """The one form of a secret."""
    words = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
    armoured = {"type": "string", "pattern": r"^\s*-----BEGIN AGE ENCRYPTED FILE-----"}
    seconds = {"type": "integer", "minimum": 1, "maximum": references.LONGEST_TIMEOUT}
    forms: Sequence[Schema] = (
        {"age": {**armoured, "description": "A text that ./inv secrets.encrypt made."}},
        {"env": {"type": "string", "pattern": ecma(references.NAME.pattern), "description": "A variable of the environment."}},
        {
            "command": {**words, "description": "A program of this machine and its words; what it prints is the secret."},
            "timeout": {**seconds, "description": f"Seconds that it may take (default: {references.TIMEOUT})."},
        },
    )
    sources = [
        {"type": "object", "properties": form, "required": [next(iter(form))], "additionalProperties": False} for form in forms
    ]
    return {
        "type": "object",
        "properties": {references.KEY: {"anyOf": sources, "description": "Where the value comes from."}},
        "required": [references.KEY],
        "additionalProperties": False,
    }


def of_lab() -> Schema:
    """inventory/lab.yml."""
    word: Schema = {"type": "string", "minLength": 1}
    keys: Dict[str, Schema] = {
        "name": {**word, "description": "The machine's name."},
        "box": {**word, "description": "The Vagrant box."},
        "box_url": {**word, "description": "Where the box is, if no catalogue has it."},
        "address": {**word, "description": "Its address on the private network."},
    }
    size: Dict[str, Schema] = {
        "memory": {"type": "integer", "minimum": 256, "description": "MiB of a machine."},
        "cpus": {"type": "integer", "minimum": 1, "description": "Processors of a machine."},
    }
    nested: Dict[str, Schema] = {
        "nested": {"type": "boolean", "description": "Whether a machine can run virtual machines of its own."}
    }
    needed = ["name", "box", "address"]
    driver: Schema = {"enum": ["auto", "kvm", "qemu"], "description": "qemu emulates; auto is kvm where this machine has it."}
    providers: Dict[str, Schema] = {
        "libvirt": closed({"driver": driver, "cpu": {**word, "description": "libvirt's mode or model of the processor."}}),
        "hyperv": closed({"switch": {**word, "description": "The virtual switch (default: Default Switch)."}}),
    }
    machine = {**closed({**keys, **size, **nested}), "required": needed}
    members: Dict[str, Schema] = {**size, "machines": {"type": "array", "items": machine, "minItems": 1}}
    return {**closed({**members, **nested, **providers}), "required": list(members)}


def titled(title: str, schema: Schema) -> Schema:
    """A schema that stands for itself."""
    return {"$schema": DRAFT, "title": title, **schema}


def of_settings(declared: Mapping[str, Variable], of_host: bool) -> Schema:
    """A mapping of settings: how to connect, and the roles' variables."""
    connection = {name: CONNECTION[name] for name in settings.CONNECTION_KEYS if of_host or name != "address"}
    return mapping({**connection, **{name: of_variable(declared[name]) for name in sorted(declared)}})


def of_variable(variable: Variable) -> Schema:
    """A role's variable."""
    choices = {"enum": list(variable.choices)} if variable.choices else {}
    return {**FORMS[variable.type], **choices, "default": variable.default, "description": variable.help}


def hosts(declared: Mapping[str, Variable]) -> Schema:
    """Skiff's own form of an inventory."""
    named = {"pattern": ecma(settings.NAME.pattern), "not": {"const": ALL}}
    all_hosts = {"type": ["object", "null"], "propertyNames": {"not": {"const": ALL}}, "additionalProperties": ref("host")}
    group = mapping({"hosts": {"anyOf": [STRINGS, ref("hosts")]}, "children": nullable(STRINGS), "vars": ref("settings")})
    members = {"vars": ref("settings"), "hosts": ref("hosts"), "groups": ref("groups")}
    return {
        **titled("Skiff's inventory", mapping({name: members[name] for name in native.TOP})),
        "$defs": {
            "secret": of_secret(),
            "settings": of_settings(declared, of_host=False),
            "host": of_settings(declared, of_host=True),
            "hosts": all_hosts,
            "group": group,
            "groups": {"type": ["object", "null"], "propertyNames": named, "additionalProperties": ref("group")},
        },
    }


def of_defaults() -> Schema:
    """A role's defaults.yml."""
    keys: Dict[str, Schema] = {
        "type": {"enum": list(TYPES), "description": "strings is a list of strings; secret a text that nothing shows."},
        "default": {"description": "The value where no inventory sets one."},
        "choices": {**STRINGS, "description": "What a string may be."},
        "help": {"type": "string", "description": "What the variable is for, in a sentence."},
    }
    rules = [
        {
            "if": {"properties": {"type": {"const": form}}, "required": ["type"]},
            "then": {"properties": {"default": schema}},
        }
        for form, schema in FORMS.items()
    ]
    variable = {
        "type": "object",
        "properties": {name: keys[name] for name in defaults.KEYS},
        "required": ["type", "default", "help"],
        "additionalProperties": False,
        "allOf": rules,
    }
    reserved = {"not": {"enum": sorted(defaults.RESERVED)}}
    form = {"type": ["object", "null"], "propertyNames": reserved, "additionalProperties": variable}
    return titled("The variables of a role", form)


def closed(members: Mapping[str, Schema]) -> Schema:
    """A mapping of these keys alone."""
    return {"type": "object", "properties": dict(members), "additionalProperties": False}


def mapping(members: Mapping[str, Schema]) -> Schema:
    """A mapping of these keys alone; nothing counts as an empty one."""
    return {**closed(members), "type": ["object", "null"]}


def nullable(schema: Schema) -> Schema:
    """The same, or nothing."""
    return {**schema, "type": [schema["type"], "null"]}


def ref(name: str) -> Schema:
    """A definition of the same document."""
    return {"$ref": f"#/$defs/{name}"}


def ecma(pattern: str) -> str:
    """An expression that has to match from the start, as JSON Schema's dialect says it."""
    return "^(?:" + pattern.replace("\\Z", "") + ")$"
