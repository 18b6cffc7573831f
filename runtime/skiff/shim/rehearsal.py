"""Goes through what every container takes, without making one, in a process that waits for its order anyway.

Whatever Python runs it writes to: each page of the memory that all share with the launcher is copied at the first touch, which
takes longer than the code itself. So that is over before the order comes.
"""

from __future__ import annotations

from skiff.cgroup import device_rules, v1_settings
from skiff.oci import namespaces, rootfs
from skiff.oci.process import ProcessPlan
from skiff.spec import defaults, jsontext, validate
from skiff.spec.seccomp_profile import default_profile


def go_through() -> None:
    """Docker's default container, up to the moment before anything would be changed."""
    spec = defaults.default_spec()
    spec["linux"]["seccomp"] = default_profile(defaults.CAPABILITIES)
    spec = jsontext.loads(jsontext.dumps(spec, sort_keys=True))
    validate.validate(spec, "rehearsal")
    resources = spec["linux"]["resources"]
    v1_settings.settings(resources, lambda _controller, _name: True)
    device_rules.steps(device_rules.listed("a *:* rwm"), device_rules.Granted(device_rules.complete(resources["devices"])))
    ProcessPlan(spec["process"])
    rootfs.plan(spec, "/", rootfs.Circumstances([], []))
    namespaces.of_spec(spec).close()
