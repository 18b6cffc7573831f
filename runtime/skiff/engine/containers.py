"""The containers that an engine has: found by name, identity or prefix, created, listed, forgotten."""

from __future__ import annotations

import asyncio
from typing import Any, Iterator, Mapping, Optional

from skiff.engine import create, names, records, status
from skiff.engine.container import Container, Record, now
from skiff.engine.images import Images, Use
from skiff.engine.settings import Settings
from skiff.errors import Conflict, NotFound


class Containers:
    """All containers; names are unique, and taken from the moment that a create begins."""

    def __init__(self, stored: records.Records, images: Images) -> None:
        self.stored = stored
        self._images = images
        self._by_id: dict[str, Container] = {}
        self._ids_by_name: dict[str, str] = {}

    def load(self) -> None:
        """Read what is on disk."""
        for container in self.stored.load():
            self._by_id[container.record.id] = container
            self._ids_by_name[container.record.name] = container.record.id

    def __iter__(self) -> Iterator[Container]:
        return iter(list(self._by_id.values()))

    def newest_first(self) -> list[Container]:
        """In the order in which lists show them."""
        return sorted(self._by_id.values(), key=lambda container: container.record.created, reverse=True)

    def counts(self) -> tuple[int, int, int]:
        """Containers that run, are paused, are stopped."""
        found = [container.state.status for container in self._by_id.values()]
        running, paused = found.count(status.RUNNING), found.count(status.PAUSED)
        return running, paused, len(found) - running - paused

    def find(self, reference: str) -> Container:
        """By whole identity, by name, by a prefix that only one has."""
        identity = reference if reference in self._by_id else self._ids_by_name.get(reference.lstrip("/"))
        identity = identity or names.by_prefix(self._by_id, reference)
        if identity is None or identity not in self._by_id:
            raise NotFound(f"No such container: {reference}")
        return self._by_id[identity]

    async def create(
        self,
        name: Optional[str],
        config: Mapping[str, Any],
        host_config: Mapping[str, Any],
        networking: Optional[Mapping[str, Any]],
        settings: Settings,
    ) -> tuple[Container, list[str]]:
        """A new container, on disk before this returns; and warnings."""
        own, host, warnings = create.check_request(config, host_config, networking, settings)
        identity = names.new_id()
        chosen = self._reserve(name, identity)
        try:
            image = await self._images.resolve(own["Image"])
            warnings += create.merge_image(own, image.config, identity)
            record = Record(identity, chosen, now(), image.id, own, host)
            container = Container(record, self.stored.directory(identity))
            await self._images.prepare_root(identity, image)
            await asyncio.get_running_loop().run_in_executor(None, self.stored.add, container)
        except BaseException:
            del self._ids_by_name[chosen]
            await asyncio.shield(self._images.remove_root(identity))
            raise
        self._by_id[identity] = container
        return container, warnings

    def _reserve(self, name: Optional[str], identity: str) -> str:
        if not name:
            name = names.invent(self._ids_by_name)
        name = names.check(name)
        holder = self._ids_by_name.get(name)
        if holder is not None:
            raise Conflict(
                f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
        self._ids_by_name[name] = identity
        return name

    async def forget(self, container: Container) -> None:
        """Remove a stopped container's root, record and files, and free its name."""
        await self._images.remove_root(container.record.id)
        await asyncio.get_running_loop().run_in_executor(None, self.stored.remove, container)
        del self._by_id[container.record.id]
        del self._ids_by_name[container.record.name]

    def uses_of_images(self) -> Mapping[str, Use]:
        """For each image that is used, a container that uses it: one that runs, if there is any."""
        uses: dict[str, Use] = {}
        for container in self._by_id.values():
            known = uses.get(container.record.image)
            if known is None or (container.alive and not known.running):
                uses[container.record.image] = Use(container.record.id, container.alive)
        return uses
