"""What a list of device rules grants, for version 1: the default and the exceptions from it, as the kernel keeps them.

The specification has the rules apply in their order, so for each device and access the last one that matches decides.
"""

from __future__ import annotations

from skiff.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from skiff.spec.types import DeviceRule

    Key = tuple[str, int, int]

ANY = -1
ALL = "rwm"
MAX_MAJOR, MAX_MINOR = (1 << 12) - 1, (1 << 20) - 1

# What the specification has every container have: null, zero, full, random, urandom, tty, ptmx, and pseudo-terminals.
_DEFAULT_NODES = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, ANY))


def complete(rules: Iterable[DeviceRule]) -> list[Rule]:
    """Nothing, then what is asked for, then what every container has."""
    made = [Rule(False, "a", ANY, ANY, ALL)]
    for rule in rules:
        made += normal(rule)
    made += [Rule(True, kind, ANY, ANY, "m") for kind in "cb"]
    return made + [Rule(True, "c", major, minor, ALL) for major, minor in _DEFAULT_NODES]


class Rule:
    """One rule without gaps; kind `a` only for every device and access there is."""

    __slots__ = ("access", "allow", "kind", "major", "minor")

    def __init__(self, allow: bool, kind: str, major: int, minor: int, access: str) -> None:
        self.allow, self.kind, self.major, self.minor, self.access = allow, kind, major, minor, access

    def __str__(self) -> str:
        return f"{self.kind} {number(self.major)}:{number(self.minor)} {self.access}"

    def covers(self, key: Key) -> bool:
        """Whether every device of `key` is one of its own."""
        kind, major, minor = key
        return self.kind in ("a", kind) and self.major in (ANY, major) and self.minor in (ANY, minor)

    def meets(self, key: Key) -> bool:
        """Whether there is a device that both are about."""
        kind, major, minor = key
        numbers = ((self.major, major), (self.minor, minor))
        return self.kind in ("a", kind) and all(own == other or ANY in (own, other) for own, other in numbers)


def normal(rule: DeviceRule) -> list[Rule]:
    """A rule as written; one of both kinds that is not about everything becomes two, for the kernel would read it as all."""
    kind = rule.get("type") or "a"
    major, minor = (ANY if value is None or value < 0 else value for value in (rule.get("major"), rule.get("minor")))
    if major > MAX_MAJOR or minor > MAX_MINOR:
        return []  # no device has such a number
    access = "".join(letter for letter in ALL if letter in (rule.get("access") or ALL))
    everything = (major, minor, access) == (ANY, ANY, ALL)
    kinds = "a" if kind == "a" and everything else "cb" if kind == "a" else kind
    return [Rule(rule["allow"], each, major, minor, access) for each in kinds]


def number(value: int) -> str:
    """As devices.allow writes it."""
    return "*" if value == ANY else str(value)


class Granted:
    """Allow or deny all, but for the exceptions: the access of each kind, major and minor."""

    __slots__ = ("allow", "exceptions")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.allow = False
        self.exceptions: dict[Key, set[str]] = {}
        for rule in rules:
            self._apply(rule)

    def _apply(self, rule: Rule) -> None:
        if rule.kind == "a":
            self.allow, self.exceptions = rule.allow, {}
        elif rule.allow != self.allow:
            self.exceptions.setdefault((rule.kind, rule.major, rule.minor), set()).update(rule.access)
        else:
            self._withdraw(rule)

    def _withdraw(self, rule: Rule) -> None:
        for key, access in list(self.exceptions.items()):
            if rule.covers(key):
                access.difference_update(rule.access)
                if not access:
                    del self.exceptions[key]
            elif rule.meets(key) and access & set(rule.access):
                wider = Rule(True, *key, "".join(sorted(access)))
                raise Unsupported(
                    f"linux.resources.devices: cgroup v1 cannot take {rule} out of {wider}: leave the wider rule out, or use v2"
                )


def listed(text: str) -> Granted:
    """What a devices.list says."""
    rules = []
    for line in text.splitlines():
        kind, numbers, access = line.split()
        major, minor = (ANY if part == "*" else int(part) for part in numbers.split(":"))
        rules.append(Rule(True, kind, major, minor, access))
    return Granted(rules)


def steps(now: Granted, wanted: Granted) -> list[tuple[str, str]]:
    """The writes (file, value) that lead from one to the other; nothing that both grant is lost meanwhile.

    A group whose default is to allow shows nothing but that in devices.list, so from and to such a one all is written.
    """
    allow, deny = "devices.allow", "devices.deny"
    add, drop = (deny, allow) if wanted.allow else (allow, deny)
    if now.allow or wanted.allow:
        made = [(allow if wanted.allow else deny, "a")]
        return made + [(add, _line(key, access)) for key, access in wanted.exceptions.items()]
    made = []
    for key, access in wanted.exceptions.items():
        if access - now.exceptions.get(key, set()):
            made.append((add, _line(key, access)))
    for key, access in now.exceptions.items():
        surplus = access - wanted.exceptions.get(key, set())
        if surplus:
            made.append((drop, _line(key, surplus)))
    return made


def _line(key: Key, access: Iterable[str]) -> str:
    return str(Rule(True, *key, "".join(letter for letter in ALL if letter in access)))
