"""TLS on the HTTP port: the same SSLConfig as for gRPC. TensorFlow Serving's HTTP port is always plain."""

import os
import ssl
import tempfile
from typing import Any

from serving import text_proto
from serving.errors import InvalidArgumentError
from serving.protos import SSLConfig


def http_credentials(file: str) -> ssl.SSLContext | None:
    """The TLS that the SSLConfig in the file asks for; None without a file.

    Raises ServingError when it does not parse, or holds no key and certificate that belong together."""
    if not file:
        return None
    config = text_proto.read(file, SSLConfig)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        _load_key(context, config)
        if config.client_verify:
            context.verify_mode = ssl.CERT_REQUIRED
            if config.custom_ca:
                context.load_verify_locations(cadata=config.custom_ca)
            else:
                context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
    except (ssl.SSLError, ValueError) as error:
        raise InvalidArgumentError(
            f"{file}: {error}; expected server_key and server_cert, and custom_ca where it is given, to be PEM texts, "
            "the key that of the certificate."
        ) from error
    return context


def _load_key(context: ssl.SSLContext, config: Any) -> None:
    """Python's ssl reads a key from a file only: it gets one that nobody else may read, for a moment."""
    with tempfile.NamedTemporaryFile(suffix=".pem", delete=False) as file:
        file.write(f"{config.server_key}\n{config.server_cert}".encode())
    try:
        context.load_cert_chain(file.name, password=_no_password)
    finally:
        os.unlink(file.name)


def _no_password() -> str:
    """Else OpenSSL asks for it on the terminal."""
    raise ValueError("the key has a password")
