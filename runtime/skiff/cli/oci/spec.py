"""skiff-oci spec: a config.json to begin with."""

from __future__ import annotations

import json
import os

from skiff.cli.oci import options
from skiff.errors import Conflict, SkiffError
from skiff.spec import example

TYPE_CHECKING = False
if TYPE_CHECKING:
    from skiff.oci.store import Store

FLAGS = {"bundle": options.VALUE, "b": "=bundle", "rootless": options.FLAG}


def main(_: Store, arguments: list[str]) -> int:
    """Exit status."""
    flags, rest = options.parse(arguments, FLAGS)
    options.none(rest)
    spec = example.rootless(os.geteuid(), os.getegid()) if "rootless" in flags else example.example()
    path = os.path.join(flags.get("bundle", "."), "config.json")
    try:
        with open(path, "x", encoding="utf-8") as file:
            json.dump(spec, file, indent="\t")
            file.write("\n")
    except FileExistsError:
        raise Conflict(f"{path} exists: remove it first") from None
    except OSError as error:
        raise SkiffError(f"{path}: {error.strerror}") from error
    return 0
