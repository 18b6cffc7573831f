"""The routes below /containers that make, list, show, start, end and remove containers."""

from __future__ import annotations

from typing import AsyncIterator

from skiff.api import bodies, listing, messages, router, shapes
from skiff.engine import engine, signals
from skiff.engine.container import State
from skiff.errors import InvalidInput, NotFound

NOT_MODIFIED = messages.Response(304)
NO_CONTENT = messages.Response(204)
EMPTY_BODY = 7
SECTIONS = ("HostConfig", "NetworkingConfig")


class ContainerRoutes:
    """Handlers over one engine."""

    def __init__(self, served: engine.Engine) -> None:
        self._engine = served

    def register(self, routes: router.Router) -> None:
        """Add the routes of this module."""
        for method, path, handler in (
            ("POST", "/containers/create", self.create),
            ("GET", "/containers/json", self.list),
            ("GET", "/containers/{name}/json", self.inspect),
            ("POST", "/containers/{name}/start", self.start),
            ("POST", "/containers/{name}/stop", self.stop),
            ("POST", "/containers/{name}/kill", self.kill),
            ("POST", "/containers/{name}/wait", self.wait),
            ("DELETE", "/containers/{name}", self.remove),
        ):
            routes.add(method, path, handler)

    async def create(self, request: messages.Request) -> messages.Answer:
        """Make a container; it is on disk before the 201."""
        body = await bodies.document(request)
        host_config, networking = (bodies.section(body, name) for name in SECTIONS)
        config = {name: value for name, value in body.items() if name not in SECTIONS}
        if not config:
            return router.error_response(400, "Config cannot be empty in order to create a container")
        made, warnings = await self._engine.containers.create(
            request.query.get("name"), config, host_config, networking, self._engine.settings
        )
        return messages.json_response({"Id": made.record.id, "Warnings": warnings}, 201)

    async def list(self, request: messages.Request) -> messages.Answer:
        """The containers that run, or all, newest first."""
        chosen = listing.choose(self._engine, request)
        return messages.json_response([shapes.list_entry(container) for container in chosen])

    async def inspect(self, request: messages.Request) -> messages.Answer:
        """All that is known of one."""
        return messages.json_response(shapes.inspect(self._engine.containers.find(request.parameters["name"])))

    async def start(self, request: messages.Request) -> messages.Answer:
        """Start it; 304 if it runs. A body once changed the host configuration: dockerd refuses all but {} and null."""
        if len(await request.content(bodies.MAX_DOCUMENT)) > EMPTY_BODY:
            raise InvalidInput("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
        container = self._engine.containers.find(request.parameters["name"])
        return NO_CONTENT if await self._engine.lifecycle.start(container) else NOT_MODIFIED

    async def stop(self, request: messages.Request) -> messages.Answer:
        """Its stop signal, then SIGKILL; 304 if it does not run."""
        container = self._engine.containers.find(request.parameters["name"])
        seconds = bodies.number(request, "t", -1) if request.query.get("t") else None
        return NO_CONTENT if await self._engine.lifecycle.stop(container, seconds) else NOT_MODIFIED

    async def kill(self, request: messages.Request) -> messages.Answer:
        """Send a signal."""
        name = request.parameters["name"]
        number = signals.number(request.query.get("signal") or "SIGKILL")
        try:
            container = self._engine.containers.find(name)
        except NotFound as error:
            raise NotFound(f"Cannot kill container: {name}: {error}") from None
        await self._engine.lifecycle.kill(container, number, name)
        return NO_CONTENT

    async def wait(self, request: messages.Request) -> messages.Answer:
        """Its exit status once the condition holds; the head of the answer goes out at once, for clients start on it."""
        container = self._engine.containers.find(request.parameters["name"])
        condition = request.query.get("condition", "")
        if condition == "removed":
            future = self._engine.lifecycle.removal(container)
        elif condition == "next-exit" or container.alive:
            future = self._engine.lifecycle.next_exit(container)
        else:
            return messages.json_response(_ended(container.state))

        async def answer() -> AsyncIterator[bytes]:
            yield messages.encode(_ended(await future))

        return messages.Stream(answer(), messages.JSON, endless=True)

    async def remove(self, request: messages.Request) -> messages.Answer:
        """Remove it, by force also while it runs."""
        container = self._engine.containers.find(request.parameters["name"])
        await self._engine.lifecycle.remove(container, request.flag("force"))
        return NO_CONTENT


def _ended(state: State) -> dict[str, object]:
    return {"Error": {"Message": state.error} if state.error else None, "StatusCode": state.exit_code}
