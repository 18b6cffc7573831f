"""Reads a bundle's config.json."""

from __future__ import annotations

import os

from skiff.errors import InvalidInput
from skiff.spec import jsontext
from skiff.spec.validate import validate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.spec.types import Spec

MAX_SIZE = 16 << 20


def load(directory: str) -> Spec:
    """The validated specification."""
    path = os.path.join(directory, "config.json")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_SIZE + 1)
    except OSError as error:
        raise InvalidInput(f"{path}: {(error.strerror or '').lower()}") from error
    if len(data) > MAX_SIZE:
        raise InvalidInput(f"{path}: larger than {MAX_SIZE >> 20} MiB")
    try:
        document = jsontext.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: not JSON: {error}") from error
    return validate(document, path)
