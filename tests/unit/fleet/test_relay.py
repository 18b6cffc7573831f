"""The lab tests' count of round trips, on conversations whose number is known."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Callable, Iterator, Tuple

import pytest

from tests.lab.relay import Relay


@pytest.fixture
def echo() -> Iterator[Tuple[str, int]]:
    """A server that greets, and answers every line with the same."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as lines:
                    connection.sendall(b"hello\n")
                    for line in lines:
                        connection.sendall(line)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[:2]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


def count(target: Tuple[str, int], talk: Callable[[socket.socket], None]) -> int:
    relay = Relay(target, delay=0.02)
    with socket.create_connection(("127.0.0.1", relay.port)) as client:
        talk(client)
    relay.close()
    (connection,) = relay.connections
    return connection.round_trips


def read_lines(client: socket.socket, number: int) -> None:
    seen = b""
    while seen.count(b"\n") < number:
        seen += client.recv(1024)


def ping_pong(client: socket.socket) -> None:
    read_lines(client, 1)
    for _ in range(3):
        client.sendall(b"x\n")
        read_lines(client, 1)


def pipelined(client: socket.socket) -> None:
    client.sendall(b"x\n" * 3)
    read_lines(client, 4)


# The connect is one, the greeting comes with the second, and each answer that was waited for is one more.
@pytest.mark.parametrize(("talk", "number"), [(ping_pong, 5), (pipelined, 2)])
def test_round_trips_are_counted(echo: Tuple[str, int], talk: Callable[[socket.socket], None], number: int) -> None:
    assert count(echo, talk) == number
