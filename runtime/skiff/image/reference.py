"""Image references: Docker's grammar and normalisation (distribution/reference), and dockerd's wording of its errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from skiff.errors import InvalidInput

DEFAULT_DOMAIN = "docker.io"
DEFAULT_TAG = "latest"
NAME_LENGTH = 255

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[(?:[a-fA-F0-9:]+)\])(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
_TAG = r"[0-9A-Za-z_][0-9A-Za-z_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(
    rf"(?P<domain>{_DOMAIN})/(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>{_TAG}))?(?:@(?P<digest>{_DIGEST}))?", re.ASCII
)
_IDENTIFIER = re.compile(r"[a-f0-9]{64}")
_SHA256 = re.compile(r"sha256:[a-f0-9]{64}")


@dataclass(frozen=True)
class Reference:
    """A repository, and a tag, a digest, both or neither."""

    domain: str
    path: str
    tag: Optional[str] = None
    digest: Optional[str] = None

    @property
    def name(self) -> str:
        """The repository's full name."""
        return f"{self.domain}/{self.path}"

    def __str__(self) -> str:
        return self.name + self._suffix()

    def familiar_name(self) -> str:
        """The repository as people write it, without Docker Hub's name."""
        if self.domain != DEFAULT_DOMAIN:
            return self.name
        namespace, _, rest = self.path.partition("/")
        return rest if namespace == "library" and rest and "/" not in rest else self.path

    def familiar(self) -> str:
        """The reference as people write it."""
        return self.familiar_name() + self._suffix()

    def tagged(self) -> Reference:
        """The same with the tag `latest` if it had neither tag nor digest."""
        if self.tag or self.digest:
            return self
        return Reference(self.domain, self.path, DEFAULT_TAG)

    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """A reference as it was written, with domain and namespace filled in and no tag added."""
    if _IDENTIFIER.fullmatch(text):
        raise InvalidInput(f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings")
    domain, remainder = _split_domain(text)
    repository = remainder.partition(":")[0]
    if repository.lower() != repository:
        raise InvalidInput(f"invalid reference format: repository name ({repository}) must be lowercase")
    match = _REFERENCE.fullmatch(f"{domain}/{remainder}")
    if not match:
        raise InvalidInput("invalid reference format")
    found = Reference(match["domain"], match["path"], match["tag"], match["digest"])
    if len(found.name) > NAME_LENGTH:
        raise InvalidInput(f"repository name must not be more than {NAME_LENGTH} characters")
    if found.digest:
        _check_digest(found.digest)
    return found


def normalize(text: str) -> Reference:
    """A reference that names one image: `busybox` is docker.io/library/busybox:latest."""
    return parse(text).tagged()


def _split_domain(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    is_domain = slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first)
    domain, remainder = (first, rest) if is_domain else (DEFAULT_DOMAIN, text)
    if domain == "index.docker.io":
        domain = DEFAULT_DOMAIN
    if domain == DEFAULT_DOMAIN and "/" not in remainder:
        remainder = f"library/{remainder}"
    return domain, remainder


def _check_digest(digest: str) -> None:
    if not digest.startswith("sha256:"):
        raise InvalidInput("unsupported digest algorithm")
    if len(digest) != len("sha256:") + 64:
        raise InvalidInput("invalid checksum digest length")
    if not _SHA256.fullmatch(digest):
        raise InvalidInput("invalid checksum digest format")
