"""Renders a role's templates: Jinja2 with undefined names refused, each fault with the template and its line."""

from __future__ import annotations

import base64
import functools
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Mapping

from fleet.errors import UsageError
from fleet.secret import holds_secret, revealed

if TYPE_CHECKING:
    from jinja2 import Environment


def prepare() -> None:
    """Imports Jinja2, before the first template is wanted."""
    import jinja2  # noqa: F401


@functools.cache
def environment(directory: Path) -> Environment:
    """The templates of one role, compiled once for all hosts."""
    import jinja2

    # What is rendered is a configuration file: escaping for HTML would break it.
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(str(directory)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 # see above
    )
    found.filters["b64encode"] = lambda text: base64.b64encode(str(text).encode()).decode()
    return found


def render(directory: Path, template: str, variables: Mapping[str, object]) -> bytes:
    """A template's text with values filled in, secrets as their text.

    Raises:
        UsageError: there is no such template, it is faulty, or a name in it has no value.
    """
    import jinja2

    secret = holds_secret(variables)
    try:
        return environment(directory).get_template(template).render(revealed(variables)).encode()
    except jinja2.TemplateNotFound as error:
        raise UsageError(f"{directory / str(error.name)}: there is no such template") from error
    except jinja2.TemplateSyntaxError as error:
        raise UsageError(f"{error.filename or directory / template}:{error.lineno}: {error.message}") from error
    except Exception as error:
        # What went wrong may quote a value.
        said = "what it says is not shown, for the template is given a secret" if secret else str(error)
        place = fault_place(error, directory, template)
        raise UsageError(f"{place}: {type(error).__name__}: {said}") from (None if secret else error)


def fault_place(error: Exception, directory: Path, template: str) -> str:
    """The line that failed: the last one in the traceback of this template or one that it includes."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if directory in Path(frame.filename).parents]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(directory / template)
