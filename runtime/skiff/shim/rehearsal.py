"""Goes through what every container takes, without making one, in a process that waits for its order anyway.

Whatever Python runs it writes to: each page of the memory that all share with the launcher is copied at the first touch, which
takes longer than the code itself. So that is over before the order comes.
"""

from __future__ import annotations

from skiff.cgroup import device_rules, v1_settings
from skiff.oci import namespaces, rootfs
from skiff.oci.process import ProcessPlan
from skiff.spec import defaults, jsontext, validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Spec

ENOUGH = 2  # of a kind: the second touches nothing that the first has not


def _example() -> Spec:
    """Docker's default container, with little of each."""
    spec = defaults.default_spec()
    linux = spec["linux"]
    spec["mounts"] = spec["mounts"][:ENOUGH]
    linux["resources"]["devices"] = linux["resources"]["devices"][-ENOUGH:]
    linux["maskedPaths"], linux["readonlyPaths"] = linux["maskedPaths"][:ENOUGH], linux["readonlyPaths"][:ENOUGH]
    rule = {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}
    linux["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}
    return spec


def go_through() -> None:
    """Up to the moment before anything would be changed."""
    spec = jsontext.loads(jsontext.dumps(_example(), sort_keys=True))
    validate.validate(spec, "rehearsal")
    resources = spec["linux"]["resources"]
    v1_settings.settings(resources, lambda _controller, _name: True)
    device_rules.steps(device_rules.listed("a *:* rwm"), device_rules.Granted(device_rules.complete(resources["devices"])))
    ProcessPlan(spec["process"])
    rootfs.plan(spec, "/", rootfs.Circumstances([], []))
    namespaces.of_spec(spec).close()
