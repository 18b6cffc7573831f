"""Checks the JSON type and range of one field at a time; a fault names file and key."""

from __future__ import annotations

from skiff.errors import InvalidInput, suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Checker:
    """For one document; `path` is the file that a fault names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def wrong(self, key: str, problem: str) -> InvalidInput:
        """The error to raise."""
        return InvalidInput(f"{self.path}: {key}: {problem}" if key else f"{self.path}: {problem}")

    def table(self, key: str, value: Any) -> dict[str, Any]:
        """An object."""
        if not isinstance(value, dict):
            raise self.wrong(key, "is missing" if value is None else "must be an object")
        return value

    def optional_table(self, key: str, value: Any) -> dict[str, Any]:
        """An object; an empty one if it is not given."""
        return self.table(key, {} if value is None else value)

    def sequence(self, key: str, value: Any) -> list[Any]:
        """An array."""
        if not isinstance(value, list):
            raise self.wrong(key, "is missing" if value is None else "must be an array")
        return value

    def rows(self, key: str, value: Any) -> list[dict[str, Any]]:
        """An array of objects; none if it is not given."""
        return [self.table(f"{key}[{index}]", row) for index, row in enumerate(self.sequence(key, [] if value is None else value))]

    def text(self, key: str, value: Any) -> str:
        """A string that the kernel can take."""
        if not isinstance(value, str):
            raise self.wrong(key, "is missing" if value is None else "must be a string")
        if "\0" in value:
            raise self.wrong(key, "must not contain a zero byte")
        if value.isascii():
            return value
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise self.wrong(key, "is not valid Unicode") from None
        return value

    def optional_text(self, key: str, value: Any) -> str:
        """A string, or nothing."""
        return "" if value is None else self.text(key, value)

    def strings(self, key: str, value: Any) -> list[str]:
        """An array of strings."""
        with suppress(TypeError):
            together = "".join(value)
            if isinstance(value, list) and together.isascii() and "\0" not in together:
                return value
        return [self.text(f"{key}[{index}]", item) for index, item in enumerate(self.sequence(key, value))]

    def optional_strings(self, key: str, value: Any) -> list[str]:
        """An array of strings; none if it is not given."""
        return self.strings(key, [] if value is None else value)

    def flag(self, key: str, value: Any) -> bool:
        """True or false."""
        if not isinstance(value, bool):
            raise self.wrong(key, "is missing" if value is None else "must be true or false")
        return value

    def optional_flag(self, key: str, value: Any) -> None:
        """True or false, or nothing."""
        if value is not None:
            self.flag(key, value)

    def number(self, key: str, value: Any, least: int, most: int) -> int:
        """An integer within bounds."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, "is missing" if value is None else "must be an integer")
        if not least <= value <= most:
            raise self.wrong(key, f"must be between {least} and {most}")
        return value

    def optional_number(self, key: str, value: Any, least: int, most: int) -> None:
        """An integer within bounds, or nothing."""
        if value is not None:
            self.number(key, value, least, most)
