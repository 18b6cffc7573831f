"""Reads daemon.json, joins it with the flags, and says precisely what is wrong with either; touches nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Mapping

from skiff import VERSION
from skiff.daemon import options
from skiff.engine.settings import Settings
from skiff.errors import ConfigError

DEFAULT_FILE = "/etc/skiff/daemon.json"
DEFAULT_HOST = "unix:///run/skiff.sock"


def load(path: str, flags: Mapping[str, Any], must_exist: bool = False) -> Settings:
    """The settings that the file and the flags (already parsed, by key) give together."""
    from_file = read_file(path, must_exist)
    both = sorted(set(from_file) & set(flags))
    if both:
        told = ", ".join(f"{key}: (from flag: {_shown(flags[key])}, from file: {_shown(from_file[key])})" for key in both)
        raise ConfigError(
            f"unable to configure the Skiff daemon with file {path}: "
            f"the following directives are specified both as a flag and in the configuration file: {told}"
        )
    merged = {**from_file, **flags}
    settings = Settings(**{options.BY_KEY[key].attribute: value for key, value in merged.items()})
    return settings if settings.hosts else replace(settings, hosts=(DEFAULT_HOST,))


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{' '.join(value)}]"
    return json.dumps(value) if isinstance(value, bool) else str(value)


def read_file(path: str, must_exist: bool = False) -> dict[str, Any]:
    """The file's options by key, each checked; empty if there is no file and none was asked for."""
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(f"{path}: no such file; make it, or leave out --config-file") from None
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    return parse_document(path, text)


def parse_document(path: str, text: bytes) -> dict[str, Any]:
    """The options of a document; an empty one is no options."""
    if not text.strip():
        return {}
    try:
        document = json.loads(text.decode("utf-8"), object_pairs_hook=_unique_keys)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from None
    except (ConfigError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: must hold one JSON object, {{...}}")
    _refuse_unknown(path, document)
    return {key: _parse_option(path, key, value) for key, value in document.items()}


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in pairs:
        if key in document:
            raise ConfigError(f"{key}: given twice")
        document[key] = value
    return document


def _refuse_unknown(path: str, document: Mapping[str, Any]) -> None:
    unknown = sorted(key for key in document if key not in options.BY_KEY and key not in options.NOT_YET)
    if unknown:
        raise ConfigError(
            f"unable to configure the Skiff daemon with file {path}: "
            f"the following directives don't match any configuration option: {', '.join(unknown)}"
        )
    missing = sorted(key for key in document if key in options.NOT_YET)
    if missing:
        raise ConfigError(
            f"{path}: {', '.join(missing)}: dockerd has this option, Skiff {VERSION} does not yet; "
            "remove it (it is refused rather than ignored)"
        )


def _parse_option(path: str, key: str, value: Any) -> Any:
    try:
        return options.BY_KEY[key].parse(value)
    except ConfigError as error:
        raise ConfigError(f"{path}: {key}: {error}") from None


def reloaded(current: Settings, fresh: Settings) -> tuple[Settings, list[str], list[str]]:
    """What SIGHUP makes of the current settings: the result, the keys that changed, and those that wait for a restart."""
    changed = [option for option in options.OPTIONS if getattr(current, option.attribute) != getattr(fresh, option.attribute)]
    now = [option for option in changed if option.reloadable]
    result = replace(current, **{option.attribute: getattr(fresh, option.attribute) for option in now})
    return result, [option.key for option in now], [option.key for option in changed if not option.reloadable]
