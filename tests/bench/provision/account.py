"""Runs a command and writes the kernel's account of it: `python -I -S account.py DESCRIPTOR SECONDS COMMAND [ARGUMENT...]`.

A process of its own, and a small one: the peak of memory that the kernel tells of a command is at least that of the process which
began it, so a large one that began it would be told in its place. Standard library only, and little of it.
"""

import os
import signal
import sys
import time

GIVEN_UP = 124


def main() -> int:
    """The exit status; a line of JSON goes to the descriptor: seconds of wall and processor time, MB of the largest process."""
    descriptor, limit, argv = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    os.set_inheritable(descriptor, False)
    begun = time.perf_counter()
    child = os.posix_spawnp(argv[0], argv, os.environ)

    def give_up(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(limit)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - begun
    text = f'{{"wall": {wall}, "cpu": {used.ru_utime + used.ru_stime}, "memory": {used.ru_maxrss / 1024}}}\n'
    os.write(descriptor, text.encode())
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else GIVEN_UP


if __name__ == "__main__":
    sys.exit(main())
