"""Rows of distribution/reference's own grammar."""

from __future__ import annotations

import pytest

from skiff.errors import InvalidInput
from skiff.image import reference

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("written", "full", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("someone/thing", "docker.io/someone/thing:latest", "someone/thing:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/thing", "localhost/thing:latest", "localhost/thing:latest"),
        ("localhost:5000/thing", "localhost:5000/thing:latest", "localhost:5000/thing:latest"),
        ("Host/thing", "Host/thing:latest", "Host/thing:latest"),
        ("[::1]:5000/thing:a", "[::1]:5000/thing:a", "[::1]:5000/thing:a"),
        ("quay.io/a/b-c/d__e.f", "quay.io/a/b-c/d__e.f:latest", "quay.io/a/b-c/d__e.f:latest"),
        (f"busybox@sha256:{HEX}", f"docker.io/library/busybox@sha256:{HEX}", f"busybox@sha256:{HEX}"),
        (f"a/b:t@sha256:{HEX}", f"docker.io/a/b:t@sha256:{HEX}", f"a/b:t@sha256:{HEX}"),
        ("busybox:" + "t" * 128, "docker.io/library/busybox:" + "t" * 128, "busybox:" + "t" * 128),
    ],
)
def test_normalised(written: str, full: str, familiar: str) -> None:
    found = reference.normalize(written)
    assert str(found) == full
    assert found.familiar() == familiar
    assert reference.normalize(str(found)) == found


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "invalid reference format"),
        ("Busybox", "invalid reference format: repository name (library/Busybox) must be lowercase"),
        ("a//b", "invalid reference format"),
        ("busybox:", "invalid reference format"),
        (":tag", "invalid reference format"),
        ("busy box", "invalid reference format"),
        ("busybox\n", "invalid reference format"),
        ("../etc", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("-a", "invalid reference format"),
        ("busybox:" + "t" * 129, "invalid reference format"),
        ("busybox@sha256:abc", "invalid reference format"),
        (f"busybox@md5:{HEX}", "unsupported digest algorithm"),
        (f"busybox@sha256:{HEX[:40]}", "invalid checksum digest length"),
        (f"busybox@sha256:{HEX.upper()}", "invalid checksum digest format"),
        (HEX, f"invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"),
        ("a" * 256, "repository name must not be more than 255 characters"),
    ],
)
def test_refused(written: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        reference.normalize(written)
    assert str(error.value) == message
