"""To whom a container's cgroup is given: to its own user, where it is shown to it as the root of a tree that may be written."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Mount, Spec


def owner(spec: Spec) -> int | None:
    """The host's uid of the first process, as runc chooses; None if nothing is given away."""
    linux = spec.get("linux") or {}
    own_view = any(row["type"] == "cgroup" and not row.get("path") for row in linux.get("namespaces") or ())
    if not own_view or not any(_writable(mount) for mount in spec.get("mounts") or ()):
        return None
    uid = (spec["process"].get("user") or {}).get("uid", 0)
    rows = linux.get("uidMappings") or []
    for row in rows:
        if row["containerID"] <= uid < row["containerID"] + row["size"]:
            return row["hostID"] + uid - row["containerID"]
    return None if rows or uid == 0 else uid


def _writable(mount: Mount) -> bool:
    return (
        mount["destination"] == "/sys/fs/cgroup"
        and mount.get("type") in ("cgroup", "cgroup2")
        and "ro" not in (mount.get("options") or ())
    )
