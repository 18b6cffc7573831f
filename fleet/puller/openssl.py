"""The host's own openssl, from 1.0.2 on: who signed some bytes, and what sealed ones say."""

import contextlib
import os
import tempfile

from fleet.agent.errors import AgentError
from fleet.puller import captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

TIMEOUT = 60.0  # seconds
SAID = 1 << 16  # bytes
# The key is 256 random bits: there is nothing to stretch, and 1.0.2 knows no -pbkdf2.
UNSEAL = ("openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha256", "-pass")


def signed(data: bytes, signature: bytes, key: str) -> bool:
    """Whether the signature is of just these bytes, by a public key in PEM.

    Raises:
        AgentError: openssl cannot tell.
    """
    with _laid(key=key.encode("ascii"), signature=signature) as folder:
        argv = ["openssl", "dgst", "-sha256", "-verify", os.path.join(folder, "key")]
        done = captured.run([*argv, "-signature", os.path.join(folder, "signature")], SAID, TIMEOUT, data)
    _refuse_absence(done)
    # Status and words, both: what fails in a way that nobody thought of is no signature.
    return done.status == 0 and done.data == b"Verified OK\n"


def unsealed(data: bytes, key_path: str, limit: int) -> bytes:
    """What was sealed for this host.

    Raises:
        AgentError: it was sealed with another key.
    """
    done = captured.run((*UNSEAL, "file:" + key_path), limit, TIMEOUT, data)
    _refuse_absence(done)
    if done.status != 0:
        raise AgentError(
            "the state of this host was sealed with another key",
            done.said,
            "publish from the control machine that ran `./inv pull.install`, or run that again from the one that publishes",
        )
    return done.data


def _refuse_absence(done: captured.Captured) -> None:
    if done.status == 127:
        raise AgentError("openssl is not on this host", done.said, "install the package openssl")


@contextlib.contextmanager
def _laid(**files: bytes) -> "Iterator[str]":
    """Files in a directory that is root's alone, for as long as a program reads them."""
    with tempfile.TemporaryDirectory(prefix="skiff-pull.") as folder:
        for name, data in files.items():
            with open(os.path.join(folder, name), "wb") as stream:
                stream.write(data)
        yield folder
