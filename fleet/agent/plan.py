"""Checks every resource in order before anything is touched, each knowing what the earlier ones will bring."""

import sys

from fleet.agent import diff
from fleet.agent.change import Change
from fleet.agent.errors import AgentError, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List, Optional

    from fleet.agent.host import Host

KINDS = {
    "agent", "archive", "command", "containers", "copy", "departure", "directory", "file", "group", "images", "json", "link",
    "module", "package", "repository", "selinux", "succession", "sysctl", "undo", "unit", "user", "versions",
}  # fmt: skip


class Plan:
    """Changes and errors by resource id, in the order of the resources."""

    def __init__(self) -> None:
        self.changes: "Dict[str, Change]" = {}
        self.errors: "Dict[str, AgentError]" = {}


def in_order(resources: "List[Dict[str, Any]]") -> "List[Dict[str, Any]]":
    """The resources with each role's handlers at the role's end."""
    ordered: "List[Dict[str, Any]]" = []
    handlers: "List[Dict[str, Any]]" = []
    for resource in resources:
        if handlers and resource["role"] != handlers[0]["role"]:
            ordered += handlers
            handlers = []
        (handlers if resource["handler"] else ordered).append(resource)
    return ordered + handlers


def make(resources: "List[Dict[str, Any]]", host: "Host", kept: bool) -> Plan:
    """What would change on the host, and what cannot be checked; changes have fingerprints if the plan may be kept, or was."""
    if kept:
        from fleet.agent import fingerprint
    plan = Plan()
    for resource in resources:
        try:
            change = check(resource, host)
            if change is not None and kept:
                change.fingerprint = fingerprint.of(resource, change, host)
        except AgentError as error:
            plan.errors[resource["id"]] = error
            continue
        if change is not None:
            plan.changes[resource["id"]] = change
            host.changed.update([resource["id"], *change.also])
            kind(resource).foresee(resource, change, host.forecast)
    return plan


def draw(plan: Plan, host: "Host") -> None:
    """The diffs that had to wait for contents; all of them together fit into one message."""
    host.contents.fetch([content for change in plan.changes.values() for content in change.shown])
    room = diff.MOST
    for change in plan.changes.values():
        change.finish(host.contents.read)
        size = diff.weight(change.diff)
        if size > room:
            change.diff = diff.left_out(change.diff)
        else:
            room -= size


def check(resource: "Dict[str, Any]", host: "Host") -> "Optional[Change]":
    """What one resource would change; nothing for a handler that nobody called.

    Raises:
        AgentError: it cannot be checked.
    """
    if resource["handler"] and not host.triggered(resource["id"], resource["listens"]):
        return None
    try:
        found = kind(resource).check(resource, host)
    except OSError as error:
        raise from_os(error, str(resource.get("path", resource["id"]))) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise internal(error) from error
    return found  # type: ignore[no-any-return] # the module is found by name


def kind(resource: "Dict[str, Any]") -> "Any":
    """The module of a resource's kind.

    Raises:
        AgentError: there is none.
    """
    if resource["kind"] not in KINDS:
        raise AgentError("this agent knows no resource of kind {}".format(resource["kind"]))
    name = "fleet.agent.kinds." + resource["kind"]
    __import__(name)
    return sys.modules[name]


def internal(error: Exception) -> AgentError:
    """A fault of the agent itself, with where it happened."""
    import traceback  # slow to import, and never wanted

    where = "".join(traceback.format_tb(error.__traceback__))
    return AgentError("internal error: {}: {}".format(type(error).__name__, error), where, "please report this")
