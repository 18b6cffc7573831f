"""An image in the Engine API's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from skiff.image.store import Image

NEVER = "0001-01-01T00:00:00Z"


def inspect(image: Image, graph: Optional[Mapping[str, str]]) -> dict[str, Any]:
    """What `docker image inspect` shows; `graph` tells where the layers lie."""
    document = image.document
    shown = {
        "Id": image.id,
        "RepoTags": image.repo_tags,
        "RepoDigests": image.repo_digests,
        "Parent": "",
        "Comment": _comment(document.get("history") or ()),
        "Created": image.created,
        "DockerVersion": document.get("docker_version") or "",
        "Author": document.get("author") or "",
        "Config": image.config,
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": graph},
        "RootFS": {"Type": "layers", "Layers": image.diff_ids},
        "Metadata": {"LastTagTime": image.tagged or NEVER},
    }
    if document.get("variant"):
        shown["Variant"] = document["variant"]
    return shown


def _comment(history: Sequence[dict[str, Any]]) -> str:
    return str(history[-1].get("comment") or "") if history else ""
