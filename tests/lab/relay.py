"""A TCP relay that holds what it carries, and counts round trips: how often an end waited for an answer to an answer.

Each piece has a depth: one more than the deepest that had reached its sender. A connect is the first round trip.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from typing import List, Optional, Tuple

Piece = Tuple[float, int, bytes]


class Flow:
    """One direction: read, held for the delay, written. `reached` is the deepest piece that has arrived at its end."""

    def __init__(self, delay: float, reached: int) -> None:
        self.delay = delay
        self.reached = reached
        self.carried = 0
        self.pieces: queue.SimpleQueue[Optional[Piece]] = queue.SimpleQueue()

    def read(self, source: socket.socket, sender_reached: Flow, step: int) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(1 << 16)
                if not data:
                    break
                self.pieces.put((time.monotonic() + self.delay, sender_reached.reached + step, data))
        self.pieces.put(None)

    def write(self, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                piece = self.pieces.get()
                if piece is None:
                    sink.shutdown(socket.SHUT_WR)
                    return
                due, depth, data = piece
                time.sleep(max(0.0, due - time.monotonic()))
                self.reached = max(self.reached, depth)
                self.carried += len(data)
                sink.sendall(data)


class Connection:
    """One relayed connection. To the client: what the server said; to the server: what the client said."""

    def __init__(self, client: socket.socket, target: Tuple[str, int], delay: float) -> None:
        self.to_client = Flow(delay, reached=1)
        self.to_server = Flow(delay, reached=2)
        time.sleep(delay)
        server = socket.create_connection(target)
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        work = (
            (self.to_server.read, (client, self.to_client, 1)),
            (self.to_client.read, (server, self.to_server, 0)),
            (self.to_server.write, (server,)),
            (self.to_client.write, (client,)),
        )
        self.threads = [threading.Thread(target=act, args=arguments, daemon=True) for act, arguments in work]
        for thread in self.threads:
            thread.start()
        for thread in self.threads:
            thread.join()
        client.close()
        server.close()

    @property
    def round_trips(self) -> int:
        return self.to_client.reached


class Relay:
    """Listens on the loopback and relays each connection to the target."""

    def __init__(self, target: Tuple[str, int], delay: float = 0.02) -> None:
        self._target = target
        self._delay = delay
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections: List[Connection] = []
        self._threads: List[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._carry, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _carry(self, client: socket.socket) -> None:
        self.connections.append(Connection(client, self._target, self._delay))

    def close(self) -> None:
        """Waits for what is still on its way."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=10)
