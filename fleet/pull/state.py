"""What is published for one host: a signed head, its sealed document, and the contents that it may ask for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from fleet import bootstrap
from fleet.content import Content
from fleet.pull.keys import Signer
from fleet.puller import head
from fleet.puller.document import told
from fleet.saved.host import Desired, named


@dataclass(frozen=True)
class Edition:
    """What all hosts of one publication have in common. `expires` in seconds since 1970, `made` as a person reads it.

    `home` and `lock` are the agent's places on a host.
    """

    serial: int
    made: str
    who: str
    expires: int
    home: str = bootstrap.HOME
    lock: str = bootstrap.LOCK

    @property
    def told(self) -> Dict[str, Any]:
        """What heads tell of it."""
        return {"serial": self.serial, "made": self.made, "who": self.who, "expires": self.expires}


@dataclass(frozen=True)
class Published:
    """A host's part: the head's bytes, and objects by their sha256."""

    head: bytes = field(repr=False)
    objects: Mapping[str, Content] = field(repr=False)


def published(host: str, facts: Mapping[str, Any], desired: Desired, edition: Edition, key: str, sign: Signer) -> Published:
    """A host's part. `key` seals its document."""
    taken = named(desired.resources, [], {wire["id"] for wire in desired.resources})
    contents = {digest: desired.contents[digest] for digest in taken}
    secret = {digest: one for digest, one in contents.items() if digest in desired.secret_contents or one.secret}
    plain = {digest: one for digest, one in contents.items() if digest not in secret}
    document = Content.of(sealed(document_of(facts, desired, secret, edition), key))
    program = bootstrap.program()
    told_head = {
        "kind": head.KIND,
        "format": head.FORMAT,
        "host": host,
        **edition.told,
        "document": {"sha256": document.sha256, "size": document.size},
        "agent": {"sha256": program.sha256, "size": len(program.data)},
        "objects": {digest: one.size for digest, one in sorted(plain.items())},
    }
    signed = json.dumps(told_head).encode()
    line = f"{sign.name} {base64.b64encode(sign(signed)).decode()}\n".encode()
    return Published(line + signed, {**plain, document.sha256: document, program.sha256: Content.of(program.data)})


def document_of(facts: Mapping[str, Any], desired: Desired, secret: Mapping[str, Content], edition: Edition) -> bytes:
    """The document in clear."""
    found: Dict[str, Any] = {
        "start": ["-c", bootstrap.UNPACK, *bootstrap.arguments(edition.home, edition.lock)],
        "facts": told(dict(facts)),
        "resources": desired.resources,
        "secrets": sorted(one.reveal() for one in desired.secrets),
        "contents": {digest: base64.b64encode(b"".join(one.chunks())).decode() for digest, one in sorted(secret.items())},
    }
    return zlib.compress(json.dumps(found).encode(), 9)


def sealed(data: bytes, key: str) -> bytes:
    """Bytes that `openssl enc -d -aes-256-cbc -md sha256 -pass file:KEY` gives back; the same for the same.

    The salt is drawn from the bytes and the key, so that hosts see no change where there is none. That nobody
    changed them is the signature's to say: the head has their digest.
    """
    word = key.encode()
    salt = hmac.new(word, data, hashlib.sha256).digest()[:8]
    first = hashlib.sha256(word + salt).digest()
    second = hashlib.sha256(first + word + salt).digest()
    pad = padding.PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(first), modes.CBC(second[:16])).encryptor()
    return b"Salted__" + salt + cipher.update(pad.update(data) + pad.finalize()) + cipher.finalize()
