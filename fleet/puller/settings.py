"""What `pull.install` left on this host: where states come from, which keys sign them, who this host is."""

import json

from fleet.agent.errors import AgentError, from_os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

FORMAT = 1
FIELDS = {"source": str, "reference": str, "host": str, "keys": dict, "ca": str, "proxy": str, "patience": int}
AGAIN = "run `./inv pull.install` for this host again"


class Settings:
    """One host's settings. `keys` are public keys in PEM by their names; `patience` are seconds to wait for another run."""

    def __init__(self, document: "Dict[str, Any]") -> None:
        self.source: str = document["source"]
        self.reference: str = document["reference"]
        self.host: str = document["host"]
        self.keys: "Dict[str, str]" = document["keys"]
        self.ca: str = document["ca"]
        self.proxy: str = document["proxy"]
        self.patience: int = document["patience"]


def read(path: str) -> Settings:
    """The settings in a file.

    Raises:
        AgentError: it cannot be read, or is none.
    """
    try:
        with open(path, "rb") as stream:
            document = json.loads(stream.read().decode("utf-8"))
    except OSError as error:
        raise from_os(error, path) from error
    except ValueError as error:
        raise AgentError("{}: is no JSON".format(path), str(error), AGAIN) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise AgentError("{}: is not of format {}".format(path, FORMAT), "", AGAIN)
    wrong = [name for name, kind in FIELDS.items() if not isinstance(document.get(name), kind)]
    if wrong:
        raise AgentError("{}: {} is missing or of the wrong type".format(path, wrong[0]), "", AGAIN)
    return Settings(document)
