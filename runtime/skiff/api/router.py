"""Chooses the handler of a request by method and path, checks the API version, and turns errors into dockerd's answers."""

from __future__ import annotations

import logging
import re
import traceback
from dataclasses import replace
from typing import Callable, Optional

from skiff import errors
from skiff.api import messages

API_VERSION = "1.41"
MIN_API_VERSION = "1.24"

VERSIONED = re.compile(r"^/v([0-9]{1,9})\.([0-9]{1,9})(/.*)$")
PARAMETER = re.compile(r"\{(\w+)\}")
LOG = logging.getLogger("skiff.api")

# The first class that an error is an instance of gives the status.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (errors.InvalidInput, 400),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Unsupported, 501),
    (errors.SkiffError, 500),
)


class Router:
    """The table of routes; a handler for requests of any path."""

    def __init__(self) -> None:
        self._routes: list[tuple[str, re.Pattern[str], messages.Handler]] = []

    def add(self, method: str, path: str, handler: messages.Handler) -> None:
        """Serve a method and a path such as /containers/{name}/json; a name may hold slashes, as image names do."""
        pattern = PARAMETER.sub(r"(?P<\1>.+?)", path)
        self._routes.append((method, re.compile(f"^{pattern}$"), handler))

    def route(self, method: str, path: str) -> Callable[[messages.Handler], messages.Handler]:
        """`add` as a decorator."""

        def register(handler: messages.Handler) -> messages.Handler:
            self.add(method, path, handler)
            return handler

        return register

    async def handle(self, request: messages.Request) -> messages.Answer:
        """The answer to a request; only ClientGone and cancellation escape."""
        try:
            return await self._dispatch(request)
        except messages.ClientGone:
            raise
        except Exception as error:
            return self._error_answer(request, error)

    async def _dispatch(self, request: messages.Request) -> messages.Answer:
        path = request.path
        versioned = VERSIONED.match(path)
        if versioned:
            refusal = version_refusal(int(versioned[1]), int(versioned[2]))
            if refusal:
                return refusal
            path = versioned[3]
        for method, pattern, handler in self._routes:
            found = pattern.match(path) if method == request.method else None
            if found:
                return await handler(replace(request, path=path, parameters=found.groupdict()))
        return error_response(404, "page not found")

    def _error_answer(self, request: messages.Request, error: Exception) -> messages.Answer:
        status = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
        if isinstance(error, OSError):
            # A full disk, a file system gone read-only: the host's fault, told without a traceback.
            text = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
            LOG.error("%s %s: %s", request.method, request.path, text)
            return error_response(500, text)
        if status is None:
            LOG.error(
                "%s %s: %s", request.method, request.path, "".join(traceback.format_exception(None, error, error.__traceback__))
            )
            return error_response(500, f"{type(error).__name__}: {error}")
        LOG.debug("%s %s: %d %s", request.method, request.path, status, error)
        return error_response(status, str(error))


def version_refusal(major: int, minor: int) -> Optional[messages.Response]:
    """The answer to a client of a version that is not spoken here, or None."""
    asked = (major, minor)
    if asked > _pair(API_VERSION):
        return error_response(400, f"client version {major}.{minor} is too new. Maximum supported API version is {API_VERSION}")
    if asked < _pair(MIN_API_VERSION):
        text = (
            f"client version {major}.{minor} is too old. Minimum supported API version is {MIN_API_VERSION}, "
            "please upgrade your client to a newer version\n"
        )
        # Clients that old print the body as it is.
        return messages.Response(400, text.encode(), "text/plain; charset=utf-8")
    return None


def _pair(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def error_response(status: int, message: str) -> messages.Response:
    """Answer with the error body that dockerd has."""
    return messages.json_response({"message": message}, status)
