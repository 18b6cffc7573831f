"""States from a directory behind HTTPS: what did not change costs one small request."""

import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request

from fleet.agent.errors import AgentError
from fleet.puller import cures, head, objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Optional, Tuple

    from fleet.puller.settings import Settings

SILENCE = 30.0  # seconds without a byte
TUNNEL = "Tunnel connection failed"  # http.client's words
CURE = "see that the server runs and that this host reaches it; the next try is at the timer's next turn"


class Web:
    """The source at an https:// address. `requests` and `received` count what it took."""

    def __init__(self, settings: "Settings") -> None:
        self._root = settings.source.rstrip("/")
        self._opener = _opener(settings)
        self._host = settings.host
        place = urllib.parse.urlsplit(settings.proxy).netloc.rpartition("@")[2]  # without its login
        self._by = "by the proxy " + place if place else ""
        self.requests = 0
        self.received = 0

    def head(self, tag: str) -> "Tuple[Optional[bytes], str]":
        """The signed head, and the tag by which it is known again; None where it is still the one of `tag`.

        Raises:
            AgentError: the server cannot be asked, or has none.
        """
        address = "{}/hosts/{}".format(self._root, urllib.parse.quote(self._host, safe=""))
        response = self._ask(address, {"If-None-Match": tag} if tag else {})
        if response is None:
            return None, tag
        with response:
            return b"".join(self._read(response, head.LARGEST, address)), response.headers.get("ETag", "")

    def chunks(self, digest: str, size: int) -> "Iterator[bytes]":
        """An object's bytes.

        Raises:
            AgentError: they cannot be had, or are not those of the digest.
        """
        address = "{}/objects/{}".format(self._root, digest)
        response = self._ask(address, {})
        assert response is not None, "nothing says that it is known"
        with response:
            for chunk in objects.checked(self._read(response, size, address), digest, size):
                yield chunk

    def _ask(self, address: str, headers: "Any") -> "Optional[http.client.HTTPResponse]":
        self.requests += 1
        request = urllib.request.Request(address, headers=dict(headers, **{"User-Agent": "skiff-pull"}))  # noqa: S310 # https alone
        try:
            return self._opener.open(request, timeout=SILENCE)  # type: ignore[no-any-return] # of https
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 304 and headers:
                    return None
                raise _refused(address, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(address, error, self._by) from error

    def _read(self, response: "http.client.HTTPResponse", limit: int, address: str) -> "Iterator[bytes]":
        try:
            for chunk in objects.arriving(response.read1, limit, address):
                self.received += len(chunk)
                yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(address, error, self._by) from error


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Follows only to where a certificate is checked."""

    def redirect_request(self, req: "Any", fp: "Any", code: int, msg: str, headers: "Any", newurl: str) -> "Any":
        if not newurl.startswith("https://"):
            raise AgentError("{} leads to {}, which is not https".format(req.full_url, newurl), "", "mend the server's redirect")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(settings: "Settings") -> urllib.request.OpenerDirector:
    try:
        context = ssl.create_default_context(cadata=settings.ca or None)
    except ssl.SSLError as error:
        raise AgentError(
            "the CA certificate in the settings is none", str(error), "run `./inv pull.install --ca FILE` again"
        ) from error
    context.options |= ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1
    proxies = {"https": settings.proxy} if settings.proxy else urllib.request.getproxies_environment()
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirect(),
    ):
        opener.add_handler(handler)
    return opener


def _refused(address: str, error: urllib.error.HTTPError) -> AgentError:
    missing = "nothing is published there for this host: publish it, or look at the address" if error.code == 404 else CURE
    return AgentError("{} answers {} {}".format(address, error.code, error.reason), "", missing)


def _unreachable(address: str, error: Exception, by: str) -> AgentError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(reason):
        return AgentError("{}: the server's certificate is not accepted".format(address), str(reason), cures.CA)
    told = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason) or type(reason).__name__
    return AgentError("{} cannot be had: {}".format(address, told), by, cures.PROXY if told.startswith(TUNNEL) else CURE)
