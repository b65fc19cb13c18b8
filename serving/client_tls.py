"""What a client needs to speak TLS: whom it trusts, and who it is."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc


@dataclass(frozen=True)
class Tls:
    """PEM files. roots: the authorities that may have signed the server's certificate, None for the usual ones;
    certificate and key: the client's own, where the server demands one."""

    roots: str | None = None
    certificate: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError(f"Tls got certificate={self.certificate!r} and key={self.key!r}; expected both or neither")

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """For gRPC; raises OSError when a file cannot be read."""
        roots, key, certificate = (
            None if path is None else Path(path).read_bytes() for path in (self.roots, self.key, self.certificate)
        )
        return grpc.ssl_channel_credentials(roots, key, certificate)

    def context(self) -> ssl.SSLContext:
        """For HTTP; raises OSError when a file cannot be read or holds something else."""
        context = ssl.create_default_context(cafile=self.roots)
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context
