"""Fetches the secrets that references name: each once a run, when the first host needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Type, Union

from fleet.errors import UsageError
from fleet.secret import Reference, Secret

Fetched = Union[Secret, UsageError]


class Resolver:
    """What has been fetched, and why what could not be was not. The lock guards the two tables; a fetch holds its own lock."""

    def __init__(self, fetched: Optional[Mapping[Reference, Fetched]] = None) -> None:
        self._lock = threading.Lock()
        self._fetching: Dict[Reference, threading.Lock] = {}
        self._fetched: Dict[Reference, Fetched] = dict(fetched or {})
        self._identities: Optional[List[Any]] = None

    def __reduce__(self) -> Tuple[Type[Resolver], Tuple[()]]:
        # What was fetched stays here, unless somebody takes it along.
        return Resolver, ()

    def taken(self, references: Iterable[Reference]) -> Dict[Reference, Fetched]:
        """What these give, to take along: a secret, or why it cannot be had."""
        return {reference: self._attempt(reference) for reference in references}

    def _attempt(self, reference: Reference) -> Fetched:
        try:
            return self(reference)
        except UsageError as error:
            return error

    def __call__(self, reference: Reference) -> Secret:
        """The secret.

        Raises:
            UsageError: it cannot be had; told with its place, never with a value.
        """
        with self._lock:
            mine = self._fetching.setdefault(reference, threading.Lock())
        with mine:
            if reference not in self._fetched:
                self._fetched[reference] = self._fetch(reference)
        found = self._fetched[reference]
        if isinstance(found, UsageError):
            raise UsageError(found.brief, found.details, found.resolution)
        return found

    def _fetch(self, reference: Reference) -> Fetched:
        sources: Dict[str, Callable[[Reference], str]] = {"age": self._age, "env": environment, "command": output}
        try:
            text = sources[reference.source](reference)
        except UsageError as error:
            return UsageError(f"{reference.place}: {error.brief}", error.details, error.resolution)
        except ValueError as error:
            return UsageError(f"{reference.place}: {error}")
        return Secret(text) if text else UsageError(f"{reference.place}: the secret is empty")

    def _age(self, reference: Reference) -> str:
        from fleet.secrets import age

        path = age.identity_file()
        with self._lock:
            if self._identities is None:
                self._identities = age.identities(path)
        try:
            return age.decrypt(reference.value[0], self._identities)
        except ValueError as error:
            cure = f"{path} is not one it was encrypted for, or the text is damaged; {age.VARIABLE} names another identity"
            raise UsageError(str(error), resolution=cure) from error


def environment(reference: Reference) -> str:
    """A variable of the environment.

    Raises:
        UsageError: it is not set, or is empty.
    """
    name = reference.value[0]
    if not os.environ.get(name):
        raise UsageError(f"the environment has no {name}", resolution=f"set it, for instance: read -rs {name} && export {name}")
    return os.environ[name]


def output(reference: Reference) -> str:
    """What a command prints, without its last newline. Nothing of it is told when it fails: it may be the secret.

    Raises:
        UsageError: it cannot be run, fails, or takes too long.
    """
    argv, cure = list(reference.value), "run it by hand and see what it says"
    nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
    try:
        # A session of its own, which ends with all that it started; so there is no terminal on which it could ask.
        with subprocess.Popen(argv, stdin=nothing, stdout=pipe, stderr=nothing, start_new_session=True) as process:
            try:
                text = process.communicate(timeout=reference.timeout)[0].decode()
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
    except subprocess.TimeoutExpired:
        raise UsageError(f"{argv[0]} did not end within {reference.timeout:g} seconds", resolution=cure) from None
    except OSError as error:
        raise UsageError(f"{argv[0]} cannot be run: {error.strerror}", resolution="name a program on PATH, or its path") from None
    except UnicodeDecodeError:
        raise UsageError(f"{argv[0]} printed what is no text") from None
    if process.returncode:
        raise UsageError(f"{argv[0]} ended with status {process.returncode}", resolution=cure)
    return text[:-1] if text.endswith("\n") else text
