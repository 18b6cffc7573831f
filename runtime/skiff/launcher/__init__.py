"""The launcher: a small, warm, single-threaded process that forks the shims of containers, and its client."""

LAUNCHER_FD = 3  # its end of the socket
