"""A host's published document: sealed, compressed JSON with its desired state, and how the host itself is known again."""

import base64
import binascii
import json
import zlib

from fleet.agent.errors import AgentError
from fleet.puller import openssl
from fleet.puller.head import LARGEST_DOCUMENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

FIELDS = {"start": list, "facts": dict, "resources": list, "secrets": list, "contents": dict}
AGAIN = "publish again"
SAME = (("machine", "machine id"), ("hostname", "name"), ("os", "system"), ("release", "release"), ("arch", "architecture"))


class Document:
    """One host's desired state. `start` are Python's arguments that start the agent, which is the one that the state was made for.

    `contents` are the bytes that hold secrets, by sha256; all others are objects.
    """

    def __init__(self, found: "Dict[str, Any]") -> None:
        self.start: "List[str]" = found["start"]
        self.facts: "Dict[str, Any]" = found["facts"]
        self.resources: "List[Dict[str, Any]]" = found["resources"]
        self.secrets: "List[str]" = found["secrets"]
        self.contents: "Dict[str, bytes]" = {digest: base64.b64decode(text) for digest, text in found["contents"].items()}

    def refuse_other(self, facts: "Dict[str, Any]") -> None:
        """Insist that this host is what the roles were asked about.

        Raises:
            AgentError: it is another one, or has become another.
        """
        now = told(facts)
        for field, word in SAME:
            if self.facts.get(field) != now[field]:
                raise AgentError(
                    "the state was made for another host, or for what this one was: its {} is another".format(word),
                    "" if field == "machine" else "made for {!r}, this is {!r}".format(self.facts.get(field), now[field]),
                    "gather its facts (`./inv facts --hosts ...`) and publish again",
                )


def told(facts: "Dict[str, Any]") -> "Dict[str, Any]":
    """Of a host's facts those that tell whether a desired state is still for it."""
    system = facts["os"]
    release = system["version_id"].partition(".")[0]
    known = {"machine": facts.get("machine", ""), "hostname": facts["hostname"], "arch": facts["arch"]}
    return dict(known, os=system["id"], release=release)


def opened(sealed: bytes, key_path: str) -> Document:
    """The document in sealed bytes.

    Raises:
        AgentError: they are not sealed for this host, or hold no document.
    """
    data = openssl.unsealed(sealed, key_path, LARGEST_DOCUMENT)
    try:
        unpacking = zlib.decompressobj()
        text = unpacking.decompress(data, LARGEST_DOCUMENT)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise ValueError("it is cut, or unpacks to more than {} bytes".format(LARGEST_DOCUMENT))
        found = json.loads(text.decode("utf-8"))
        wrong = [name for name, kind in FIELDS.items() if not isinstance(found[name], kind)]
        if wrong:
            raise TypeError("{} is of the wrong type".format(wrong[0]))
        return Document(found)
    except (KeyError, TypeError, ValueError, RecursionError, binascii.Error, zlib.error) as error:
        raise AgentError("the state of this host is not understood", "{}: {}".format(type(error).__name__, error), AGAIN) from error
