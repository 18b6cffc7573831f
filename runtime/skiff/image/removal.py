"""Removing images: what is untagged and what deleted, and dockerd's reasons to refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

from skiff.errors import Conflict
from skiff.image import reference
from skiff.image.store import Image, ImageStore


class Use(NamedTuple):
    """A container that was made from an image."""

    container: str
    running: bool


def remove(store: ImageStore, name: str, force: bool = False, in_use: Optional[Mapping[str, Use]] = None) -> list[dict[str, str]]:
    """Untag a reference, or remove an image; rows of `Untagged` and `Deleted` as dockerd has them.

    `in_use` names for each image id one container made from it, a running one if there is any.
    """
    image, found = store.find(name)
    use = (in_use or {}).get(image.id)
    if found is None:
        _check_id(image, force, use)
        return _delete(store, image, _names(store, image), use)
    names = [found, *_digests_left(store, image, found)]
    others = [other for other in _names(store, image) if other not in names]
    if others:
        store.forget(names)
        return _untagged(names)
    if use and not force:
        raise Conflict(
            f'conflict: unable to remove repository reference "{name}" (must force) - container {use.container[:12]}'
            f" is using its referenced image {_short(image)}"
        )
    return _delete(store, image, names, use)


def _check_id(image: Image, force: bool, use: Optional[Use]) -> None:
    if use and use.running:
        reason = f"image is being used by running container {use.container[:12]}"
        raise Conflict(f"conflict: unable to delete {_short(image)} (cannot be forced) - {reason}")
    if force:
        return
    repositories = {reference.parse(name).name for name in (*image.repo_tags, *image.repo_digests)}
    if len(repositories) > 1:
        raise Conflict(
            f"conflict: unable to delete {_short(image)} (must be forced) - image is referenced in multiple repositories"
        )
    if use:
        reason = f"image is being used by stopped container {use.container[:12]}"
        raise Conflict(f"conflict: unable to delete {_short(image)} (must be forced) - {reason}")


def _delete(store: ImageStore, image: Image, names: Sequence[str], use: Optional[Use]) -> list[dict[str, str]]:
    if use and use.running:
        # Forced: the name goes, the image stays for the container that runs on it.
        store.forget(names)
        return _untagged(names)
    store.forget(names, image.id)
    removed = set(store.collect())
    chains = [chain for chain in reversed(image.chain_ids) if chain in removed]
    return _untagged(names) + [{"Deleted": digest} for digest in (image.id, *chains)]


def _names(store: ImageStore, image: Image) -> list[str]:
    return sorted(name for name, identity in store.references().items() if identity == image.id)


def _digests_left(store: ImageStore, image: Image, removed: str) -> list[str]:
    """The digests of a repository of which no tag is left."""
    repository = reference.parse(removed).name
    same = [name for name in _names(store, image) if reference.parse(name).name == repository and name != removed]
    return same if all(reference.parse(name).digest for name in same) else []


def _untagged(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"Untagged": reference.parse(name).familiar()} for name in names]


def _short(image: Image) -> str:
    return image.id.partition(":")[2][:12]
