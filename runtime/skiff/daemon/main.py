"""skiffd from its arguments to its end: configuration, sockets, signals, readiness."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import Any, Sequence

from skiff import VERSION
from skiff.api import server
from skiff.daemon import config, flags, listeners, logs, notify
from skiff.engine import engine
from skiff.engine.settings import Settings
from skiff.errors import SkiffError

LOG = logging.getLogger("skiff.daemon")


def main(arguments: list[str]) -> int:
    """Run until told to stop; the exit status."""
    try:
        namespace, given = flags.parse(arguments)
        path = namespace.config_file or config.DEFAULT_FILE
        settings = config.load(path, given, must_exist=namespace.config_file is not None)
        if namespace.validate:
            listeners.group_id(settings.group)
            print("configuration OK")  # noqa: T201  # what --validate is for
            return 0
        if os.geteuid() != 0:
            raise SkiffError("skiffd needs to be started with root privileges; use sudo or the service skiff")
        logs.set_up(settings)
        return asyncio.run(Daemon(settings, path, given).run())
    except (SkiffError, OSError) as error:
        print(f"skiffd: {error}", file=sys.stderr)  # noqa: T201  # there may be no log yet
        return 1


class Daemon:
    """One run of skiffd."""

    def __init__(self, settings: Settings, config_path: str, given: dict[str, Any]) -> None:
        self._engine = engine.Engine(settings)
        self._config_path = config_path
        self._must_exist = config_path != config.DEFAULT_FILE
        self._given = given

    async def run(self) -> int:
        """Open everything, serve, close everything in the opposite order."""
        settings = self._engine.settings
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        async with contextlib.AsyncExitStack() as stack:
            await self._engine.open()
            stack.push_async_callback(self._engine.close)
            api = server.Server(self._engine)
            stack.push_async_callback(api.close)
            stack.enter_context(_pidfile(settings.pidfile))
            for path in _socket_paths(settings.hosts):
                await api.listen(listeners.listen(path, listeners.group_id(settings.group)))
                stack.callback(_unlink, path)
                LOG.info("API listens on unix://%s", path)
            watchdog = asyncio.ensure_future(_feed_watchdog())
            stack.callback(watchdog.cancel)
            LOG.info("skiffd %s is ready: data root %s, process %d", VERSION, settings.data_root, os.getpid())
            notify.send("READY=1", f"STATUS=Skiff {VERSION}")
            await stop.wait()
            notify.send("STOPPING=1")
            LOG.info("stopping")
        return 0

    def _reload(self) -> None:
        """SIGHUP: take over what may change while running; a broken file changes nothing."""
        notify.reloading()
        try:
            fresh = config.load(self._config_path, self._given, self._must_exist)
        except SkiffError as error:
            LOG.error("configuration not reloaded, the old one stays: %s", error)
        else:
            settings, now, later = config.reloaded(self._engine.settings, fresh)
            self._engine.settings = settings
            logs.set_up(settings)
            LOG.info("configuration reloaded: %s", ", ".join(now) or "nothing changed")
            if later:
                LOG.warning("these options change at the next restart only: %s", ", ".join(later))
        notify.send("READY=1")


def _socket_paths(hosts: Sequence[str]) -> list[str]:
    return [host.partition("://")[2] for host in hosts]


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


@contextlib.contextmanager
def _pidfile(path: str) -> Any:
    if not path:
        yield
        return
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")
    except OSError as error:
        raise SkiffError(f"cannot write the pid file {path}: {error.strerror}") from error
    try:
        yield
    finally:
        _unlink(path)


async def _feed_watchdog() -> None:
    seconds = notify.watchdog_seconds()
    while seconds:
        notify.send("WATCHDOG=1")
        await asyncio.sleep(seconds)
