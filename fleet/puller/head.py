r"""The head of a host's published state: a line with a signature, then JSON that names everything else by its digest.

    <name of the key> <signature in base64>\n{"kind": "skiff pull", "format": 1, "host": ..., "serial": ..., ...}

Nothing of it is looked at before the signature of just these bytes is found good.
"""

import base64
import binascii
import json
import re
import time

from fleet.agent.errors import AgentError
from fleet.puller import openssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, Tuple

KIND = "skiff pull"
FORMAT = 1
LARGEST = 1 << 20  # bytes of a head
LARGEST_DOCUMENT = 16 << 20
LARGEST_OBJECT = 4 << 30
DIGEST = re.compile("[0-9a-f]{64}")
UNTOUCHED = "nothing on this host was changed"
FIELDS = {"host": str, "serial": int, "made": str, "who": str, "expires": int, "document": dict, "agent": dict, "objects": dict}


class Head:
    """A head whose signature is good. `document` and `agent` are (sha256, size); `objects` sizes by sha256."""

    def __init__(self, data: bytes, document: "Dict[str, Any]") -> None:
        self.data = data
        self.host: str = document["host"]
        self.serial: int = document["serial"]
        self.made: str = document["made"]
        self.who: str = document["who"]
        self.expires: int = document["expires"]
        self.document: "Tuple[str, int]" = (document["document"]["sha256"], document["document"]["size"])
        self.agent: "Tuple[str, int]" = (document["agent"]["sha256"], document["agent"]["size"])
        self.objects: "Dict[str, int]" = document["objects"]

    def expired(self) -> bool:
        """Whether it is older than its publisher meant it to get."""
        return time.time() > self.expires

    def size_of(self, digest: str) -> int:
        """The size of an object that may be asked for.

        Raises:
            AgentError: the head does not name it.
        """
        if digest not in self.objects:
            raise AgentError("{} is not part of what was published for this host".format(digest), "", "publish again")
        return self.objects[digest]


def opened(data: bytes, keys: "Dict[str, str]", host: str) -> Head:
    """A head, if one of the keys signed it for this host.

    Raises:
        AgentError: it is not so.
    """
    line, newline, signed = data.partition(b"\n")
    name, _, encoded = line.partition(b" ")
    try:
        signature = base64.b64decode(encoded, validate=True)
        key = name.decode("ascii")
    except (UnicodeDecodeError, binascii.Error):
        signature, key = b"", ""
    if not newline or not signature or not key:
        raise AgentError("what the source gave is no signed state", repr(data[:60]), UNTOUCHED + "; look at the source")
    if key not in keys:
        raise AgentError(
            "the state is signed with a key that this host does not accept",
            "signed with {}; accepted: {}".format(key, ", ".join(sorted(keys))),
            UNTOUCHED + "; publish with an accepted key, or give hosts the new one by `./inv pull.install`",
        )
    if not openssl.signed(signed, signature, keys[key]):
        raise AgentError(
            "the signature is wrong: this is not what was published",
            "key {}".format(key),
            UNTOUCHED + "; find out who changed it, and publish again",
        )
    head = _understood(data, signed)
    if head.host != host:
        raise AgentError(
            "the state is another host's",
            "published for {}, this is {}".format(head.host, host),
            UNTOUCHED + "; look at the source",
        )
    return head


def refuse_older(head: Head, serial: int, made: str) -> None:
    """Insist that no older state comes back.

    Raises:
        AgentError: this host has taken a newer one.
    """
    if head.serial < serial:
        raise AgentError(
            "the state is older than one that this host has taken",
            "published {} (serial {}), taken before: {} (serial {})".format(head.made, head.serial, made, serial),
            UNTOUCHED + "; publish again, or allow it once: `./inv pull.install --accept-older`",
        )


def _understood(data: bytes, signed: bytes) -> Head:
    """The head in signed bytes; a signer's mistake is told as well as anybody's."""
    try:
        document = json.loads(signed.decode("utf-8"))
        fits = document["kind"] == KIND and document["format"] == FORMAT
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise AgentError("the signed state is not understood", str(error), UNTOUCHED + "; publish again") from error
    if not fits:
        raise AgentError(
            "the signed state is of another format than this host reads",
            "format {!r}; this host reads {}".format(document["format"], FORMAT),
            "run `./inv pull.install` for this host again, with the version of Skiff that publishes",
        )
    wrong = [name for name, kind in FIELDS.items() if not isinstance(document.get(name), kind)]
    wrong += [name for name in ("document", "agent") if name not in wrong and not _named(document[name])]
    if not wrong and not all(_is_object(digest, size, LARGEST_OBJECT) for digest, size in document["objects"].items()):
        wrong.append("objects")
    if wrong:
        raise AgentError("the signed state is not understood: {}".format(wrong[0]), "", UNTOUCHED + "; publish again")
    return Head(data, document)


def _named(one: "Dict[str, Any]") -> bool:
    return _is_object(one.get("sha256"), one.get("size"), LARGEST_DOCUMENT)


def _is_object(digest: "Any", size: "Any", largest: int) -> bool:
    """A digest becomes part of an address and a path: it is letters and digits alone."""
    return isinstance(digest, str) and bool(DIGEST.fullmatch(digest)) and isinstance(size, int) and 0 <= size <= largest
