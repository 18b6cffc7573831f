"""A web server over TLS with a CA of its own: it serves a directory with ETags, as any web server does, and counts."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import List, Tuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Listener:
    """Serves in a thread of its own, at `port`."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that refuses the certificate is no fault here
        self._server = server
        self.port: int = server.server_address[1]
        self._thread = threading.Thread(target=server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def encrypted(server: ThreadingHTTPServer, chain: Path) -> ThreadingHTTPServer:
    """The server, over TLS with this key and certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server


class Site(Listener):
    """Listens on an address of this machine. `answers` are the paths asked for, with status and length of each answer's body.

    `ca` is the file with the certificate that vouches for it.
    """

    def __init__(self, address: str, directory: Path, keys: Path) -> None:
        self.answers: List[Tuple[str, int, int]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                file = directory / self.path.lstrip("/")
                body = file.read_bytes() if file.is_file() else b""
                tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
                status = 404 if not file.is_file() else 304 if self.headers.get("If-None-Match") == tag else 200
                body = body if status == 200 else b""
                site.answers.append((self.path, status, len(body)))
                self.send_response(status)
                self.send_header("ETag", tag)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing is written beside the test's own output."""

        self.ca, chain = certify(address, keys)
        super().__init__(encrypted(ThreadingHTTPServer((address, 0), Handler), chain))
        self.address = f"https://{address}:{self.port}"


def certify(address: str, directory: Path) -> Tuple[Path, Path]:
    """A CA's certificate, and the key and certificate of a server at this address that it vouches for."""
    directory.mkdir(exist_ok=True)
    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab's CA")])
    yesterday = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(key.public_key())
        return (
            made.serial_number(x509.random_serial_number())
            .not_valid_before(yesterday)
            .not_valid_after(yesterday + datetime.timedelta(days=30))
            # Python refuses certificates without these from 3.13 on.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), critical=False)
        )

    authority = builder(name, root).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    signing = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    usage = x509.KeyUsage(**signing, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False)
    authority = authority.add_extension(usage, critical=True)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    server = builder(x509.Name([]), own).add_extension(alternative, critical=True)
    pem = serialization.Encoding.PEM
    ca, chain = directory / "ca.pem", directory / "chain.pem"
    ca.write_bytes(authority.sign(root, hashes.SHA256()).public_bytes(pem))
    private = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain.write_bytes(private + server.sign(root, hashes.SHA256()).public_bytes(pem))
    return ca, chain
