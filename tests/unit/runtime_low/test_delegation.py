"""To whom a container's cgroup is given."""

from __future__ import annotations

from typing import Any

import pytest

from skiff.oci import delegation
from skiff.spec.defaults import default_spec

MAPPING = [{"containerID": 0, "hostID": 100_000, "size": 1000}]


@pytest.mark.parametrize(
    ("uid", "mappings", "writable", "own", "expected"),
    [
        (0, MAPPING, True, True, 100_000),
        (7, MAPPING, True, True, 100_007),
        (1000, MAPPING, True, True, None),
        (0, MAPPING, False, True, None),
        (0, MAPPING, True, False, None),
        (0, [], True, True, None),
        (7, [], True, True, 7),
    ],
)
def test_it_is_given_to(uid: int, mappings: Any, writable: bool, own: bool, expected: int | None) -> None:
    spec: Any = default_spec()
    spec["process"]["user"]["uid"] = uid
    spec["linux"]["uidMappings"] = mappings
    if not own:
        spec["linux"]["namespaces"] = [row for row in spec["linux"]["namespaces"] if row["type"] != "cgroup"]
    for mount in spec["mounts"]:
        if writable and mount["type"] == "cgroup":
            mount["options"].remove("ro")
    assert delegation.owner(spec) == expected
