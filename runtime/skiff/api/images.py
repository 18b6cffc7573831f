"""The routes below /images that list, show, load and remove images."""

from __future__ import annotations

import fnmatch
from typing import Any, AsyncIterator, Callable, Mapping

from skiff.api import bodies, messages, router
from skiff.engine import engine, logs
from skiff.engine.images import Image
from skiff.errors import InvalidInput, NotFound, SkiffError

# Fields that API 1.41 has, of times when images were committed containers.
_RETIRED = {"Container": "", "ContainerConfig": None}


class ImageRoutes:
    """Handlers over one engine."""

    def __init__(self, served: engine.Engine) -> None:
        self._engine = served

    def register(self, routes: router.Router) -> None:
        """Add the routes of this module."""
        routes.add("GET", "/images/json", self.list)
        routes.add("POST", "/images/load", self.load)
        routes.add("GET", "/images/{name}/json", self.inspect)
        routes.add("DELETE", "/images/{name}", self.remove)

    async def list(self, request: messages.Request) -> messages.Answer:
        """The images, newest first."""
        wanted = bodies.filters(request, frozenset(_TESTS))
        images = [
            image
            for image in await self._engine.images.list()
            if all(_TESTS[name](image, values) for name, values in wanted.items())
        ]
        return messages.json_response([_list_entry(image) for image in images])

    async def inspect(self, request: messages.Request) -> messages.Answer:
        """All that is known of one."""
        name = request.parameters["name"]
        try:
            shown = await self._engine.images.inspect(name)
        except NotFound as error:
            raise NotFound(f"no such image: {name}: {error}") from None
        return messages.json_response({**_RETIRED, "VirtualSize": shown["Size"], **shown})

    async def load(self, request: messages.Request) -> messages.Answer:
        """Load an archive; what happens is told as it does, an error too, for by then the head has gone out."""

        async def events() -> AsyncIterator[bytes]:
            try:
                async for line in self._engine.images.load(request.body):
                    yield messages.encode({"stream": f"{line}\n"})
            except (SkiffError, OSError) as error:
                yield messages.encode({"errorDetail": {"message": str(error)}, "error": str(error)})

        return messages.Stream(events(), messages.JSON)

    async def remove(self, request: messages.Request) -> messages.Answer:
        """Take a name away, and the image with its last one."""
        events = await self._engine.remove_image(request.parameters["name"], request.flag("force"))
        return messages.json_response(events)


def _has_reference(image: Image, patterns: list[str]) -> bool:
    """A pattern without a tag means every tag of the repository, as in Docker."""
    names = [*image.repo_tags, *image.repo_digests]
    repositories = [name.partition("@")[0] if "@" in name else name.rpartition(":")[0] for name in names]
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns for name in (*names, *repositories))


def _is_dangling(image: Image, values: list[str]) -> bool:
    if values[0] not in _BOOLEANS:
        raise InvalidInput(f"Invalid filter 'dangling=[{values[0]}]'")
    return (not image.repo_tags) == _BOOLEANS[values[0]]


_BOOLEANS = {"1": True, "true": True, "0": False, "false": False}


def _has_labels(image: Image, values: list[str]) -> bool:
    labels = image.config.get("Labels") or {}
    pairs = [value.partition("=") for value in values]
    return all(key in labels and (not separator or labels[key] == text) for key, separator, text in pairs)


_TESTS: Mapping[str, Callable[[Image, list[str]], bool]] = {
    "dangling": _is_dangling,
    "label": _has_labels,
    "reference": _has_reference,
}


def _list_entry(image: Image) -> dict[str, Any]:
    return {
        "Containers": -1,
        "Created": int(logs.epoch(image.created)),
        "Id": image.id,
        "Labels": image.config.get("Labels"),
        "ParentId": "",
        "RepoDigests": list(image.repo_digests) or None,
        "RepoTags": list(image.repo_tags) or None,
        "SharedSize": -1,
        "Size": image.size,
        "VirtualSize": image.size,
    }
