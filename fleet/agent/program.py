"""This program as it is kept on the host: its text by its digest, and beside it the code that this Python made of it."""

import os

from fleet.agent.errors import AgentError
from fleet.agent.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Optional


class Program:
    """The running agent. `sent` is its text if it came over the connection; `pack` gives its code unless that is what runs."""

    def __init__(self, digest: str, code_name: str, sent: "Optional[bytes]", pack: "Optional[Callable[[], bytes]]") -> None:
        self._digest = digest
        self._code_name = code_name
        self._sent = sent
        self._pack = pack

    @property
    def digest(self) -> str:
        """Which program it is."""
        return self._digest

    @property
    def cached(self) -> bool:
        """Whether the host had it."""
        return self._sent is None

    def keep(self, state: State) -> None:
        """Write its text down, and remove what other agents and other Pythons left."""
        state.prepare()
        if self._sent is not None:
            state.write(self._digest, self._sent)
        if self._pack is not None:
            for name in os.listdir(state.home):
                digest = name.partition(".")[0]
                if len(digest) == len(self._digest) and name not in (self._digest, self._code_name):
                    os.unlink(state.path(name))

    def keep_code(self, state: State) -> None:
        """Write its code down: the next run need not compile it."""
        if self._pack is None:
            return
        try:
            state.write(self._code_name, self._pack())
        except AgentError:
            return  # the disk is full, or another run's sweep was faster: the text does as well
