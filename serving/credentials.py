"""What secures the gRPC ports. In TensorFlow Serving: config/ssl_config.proto, model_servers/server.cc."""

import ssl
from pathlib import Path

import grpc

from serving import text_proto
from serving.options import ServerOptions
from serving.protos import SSLConfig


def credentials(options: ServerOptions) -> grpc.ServerCredentials | None:
    """The credentials that the flags ask for; None for plain connections. Raises ServingError for a bad file."""
    if options.use_alts_credentials:
        return grpc.alts_server_credentials()
    if not options.ssl_config_file:
        return None
    config = text_proto.read(options.ssl_config_file, SSLConfig)
    authorities = config.custom_ca.encode() or None
    if config.client_verify and authorities is None:
        authorities = _system_authorities()
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=authorities,
        require_client_auth=config.client_verify,
    )


def _system_authorities() -> bytes:
    """The certificates that the system trusts, as PEM."""
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_bytes() if file else b""
