"""skiffd's command line, drawn from the table of options: the same names, the same checks."""

from __future__ import annotations

import argparse
from typing import Any, Sequence

from skiff import VERSION
from skiff.daemon import config, options
from skiff.errors import ConfigError

EPILOG = f"""\
Every option but --config-file, --validate and --version can stand in the configuration file instead, under dockerd's name
for it; one given in both places is refused.

examples:
  skiffd                                                    serve on {config.DEFAULT_HOST}
  skiffd --validate --config-file ./daemon.json             check a configuration, start nothing
  skiffd -D --data-root /srv/skiff -H unix:///tmp/s.sock    a second engine, beside the first
"""


def parser() -> argparse.ArgumentParser:
    """The parser, whose values are still unchecked text."""
    made = argparse.ArgumentParser(
        prog="skiffd",
        description="Skiff's daemon: a container engine with Docker's HTTP API.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--config-file", metavar="FILE", help=f"daemon.json to read (default {config.DEFAULT_FILE})")
    made.add_argument("--validate", action="store_true", help="check configuration and flags, then exit with 0 or 1")
    made.add_argument("-v", "--version", action="version", version=f"Skiff version {VERSION}")
    for option in options.OPTIONS:
        names = [f"-{option.short}"] if option.short else []
        names.append(f"--{option.flag}")
        made.add_argument(*names, dest=option.attribute, help=option.help, **_shape(option))
    return made


def _shape(option: options.Option) -> dict[str, Any]:
    if option.kind == "boolean":
        return {"nargs": "?", "const": "true", "metavar": "true|false"}
    if option.kind in ("list of strings", "object of strings"):
        return {"action": "append", "metavar": "VALUE"}
    return {"metavar": "N" if option.kind == "integer" else "VALUE"}


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, dict[str, Any]]:
    """The parsed command line, and the options given on it, by key, checked."""
    namespace = parser().parse_args(arguments)
    given: dict[str, Any] = {}
    for option in options.OPTIONS:
        text = getattr(namespace, option.attribute)
        if text is None:
            continue
        try:
            given[option.key] = option.parse(_value(option.kind, text))
        except ConfigError as error:
            raise ConfigError(f"--{option.flag}: {error}") from None
    return namespace, given


def _value(kind: str, text: Any) -> Any:
    if kind == "boolean":
        if text not in ("true", "false"):
            raise ConfigError(f'must be true or false, not "{text}"')
        return text == "true"
    if kind == "integer":
        try:
            return int(text)
        except ValueError:
            raise ConfigError(f'must be a number, not "{text}"') from None
    if kind == "object of strings":
        pairs = [item.partition("=") for item in text]
        return {key: value for key, _, value in pairs}
    return text
