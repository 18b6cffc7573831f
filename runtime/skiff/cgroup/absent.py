"""No cgroup at all: what a user without rights over any gets, for a container that asks for no limit."""

from __future__ import annotations

from skiff.errors import Unsupported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from skiff.cgroup.hierarchy import View
    from skiff.spec.types import Resources


class Absent:
    """See cgroup.manager.CgroupManager; what needs a cgroup is refused, and nothing needs to be undone."""

    version = 0
    confines_devices = True  # the user's own rights do

    def require_vacant(self) -> None:
        """Nobody can be in it."""

    def create(self, resources: Resources) -> None:
        """Nothing."""

    def entered(self) -> None:
        """Nothing."""

    def update(self, resources: Resources) -> NoReturn:  # noqa: ARG002  # the protocol's
        """Refused."""
        self._refuse()

    def entrances(self) -> list[str]:
        """None."""
        return []

    def delegate(self, uid: int) -> None:
        """Nothing."""

    def pids(self) -> list[int]:
        """Unknown."""
        return []

    def freeze(self, frozen: bool) -> NoReturn:  # noqa: ARG002  # the protocol's
        """Refused."""
        self._refuse()

    def frozen(self) -> bool:
        """Never."""
        return False

    def kill(self, signal: int) -> None:
        """Nothing: the end of a pid namespace's first process ends the others."""

    def oom_kills(self) -> int:
        """Not counted."""
        return 0

    def oom_watch(self) -> NoReturn:
        """Refused."""
        self._refuse()

    def stats(self) -> NoReturn:
        """Refused."""
        self._refuse()

    def views(self, own_namespace: bool) -> list[View]:  # noqa: ARG002  # the protocol's
        """An empty directory."""
        return []

    def delete(self) -> None:
        """Nothing."""

    @staticmethod
    def _refuse() -> NoReturn:
        raise Unsupported("the container has no cgroup: this user may not make any; have one delegated, or run as root")
