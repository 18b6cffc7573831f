"""What a container may not do besides its capabilities: Docker's seccomp profile, and no new privileges, by --security-opt."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from skiff.engine import fields
from skiff.errors import InvalidInput, Unsupported

# Words that ask for a confinement which Skiff does not have to be off.
_ALREADY_OFF = frozenset(("apparmor=unconfined", "label=disable"))


class Confinement(NamedTuple):
    """Whether the process may gain no privileges, and whether its calls are filtered."""

    no_new_privileges: bool
    filtered: bool


def choose(host: Mapping[str, Any]) -> Confinement:
    """What HostConfig.SecurityOpt asks for; what Skiff cannot do of it is refused."""
    chosen = Confinement(no_new_privileges=False, filtered=True)
    for option in fields.strings("HostConfig.SecurityOpt", host["SecurityOpt"]):
        key, separator, value = option.replace(":", "=", 1).partition("=")
        if key == "no-new-privileges" and value in ("", "true", "false"):
            chosen = chosen._replace(no_new_privileges=value != "false")
        elif key == "seccomp" and value in ("unconfined", "builtin"):
            chosen = chosen._replace(filtered=value == "builtin")
        elif f"{key}={value}" not in _ALREADY_OFF:
            if not separator:
                raise InvalidInput(f'invalid --security-opt: "{option}"')
            raise Unsupported(f'--security-opt "{option}" is not supported by this version of Skiff yet')
    return chosen
