"""Whether each registry mirror answers this host, by the proxies that its engine has."""

import json
import threading

from fleet.agent import process
from fleet.agent.facts import read
from fleet.agent.looks import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict, List

    from fleet.agent.host import Host

GRACE = 1.0  # seconds for a name server that outlasts the time of a connection
VARIABLES = {"http": "HTTP_PROXY", "https": "HTTPS_PROXY", "no": "NO_PROXY"}


def look(given: "Dict[str, Any]", _host: "Host") -> "List[Dict[str, Any]]":
    """Every mirror with what it said or why it did not, all asked at once."""
    proxies = _proxies(given["unit"], given["file"])
    asked = [_Asked(mirror, proxies, given) for mirror in given["mirrors"]]
    for one in asked:
        one.start()
    for one in asked:
        one.join(given["timeout"] * given["attempts"] + GRACE)
    return [dict(one.found, mirror=one.mirror) for one in asked]


class _Asked(threading.Thread):
    """One mirror, asked again where its time ran out."""

    def __init__(self, mirror: str, proxies: "Dict[str, str]", given: "Dict[str, Any]") -> None:
        super(_Asked, self).__init__(daemon=True)
        self.mirror = mirror
        self._proxies = proxies
        self._given = given
        self.found: "Dict[str, Any]" = {"answers": False, "said": "timeout: neither the name server nor the mirror came to an end"}

    def run(self) -> None:
        """Ask, and keep the answer."""
        for _ in range(self._given["attempts"]):
            self.found = self._once()
            if not self.found["said"].startswith("timeout"):
                return

    def _once(self) -> "Dict[str, Any]":
        host = registry.Address(self.mirror).host
        insecure = any(registry.excepted(host, name) for name in self._given["insecure"])
        try:
            said = registry.ask(self.mirror, self._proxies, insecure, self._given["timeout"])
        except registry.Fault as fault:
            return {"answers": False, "said": str(fault)}
        return {"answers": True, "said": said}


def _proxies(unit: str, file: str) -> "Dict[str, str]":
    """What the daemon's environment names; over it what its file does (`proxies`, from Docker 23.0 on)."""
    told = process.run(["systemctl", "show", "--property=MainPID", unit]).stdout.strip().partition("=")[2]
    words = read("/proc/{}/environ".format(told)).split("\0") if told.isdigit() and told != "0" else []
    environment = dict(word.partition("=")[::2] for word in words)
    found = {key: environment.get(name) or environment.get(name.lower()) or "" for key, name in VARIABLES.items()}
    try:
        options = json.loads(read(file) or "{}").get("proxies") or {}
    except (AttributeError, ValueError):
        options = {}
    found.update({key: options[key + "-proxy"] for key in VARIABLES if options.get(key + "-proxy")})
    return found
