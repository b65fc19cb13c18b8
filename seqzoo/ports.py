"""TCP ports for the processes that `seqzoo tour` starts."""

import socket
from collections.abc import Callable


def choose(wanted: int, purpose: str, say: Callable[[str], object]) -> int:
    """The wanted port, or, when something listens there, a free one; says so."""
    if _free(wanted):
        return wanted
    with socket.socket() as any_port:
        any_port.bind(("", 0))
        port: int = any_port.getsockname()[1]
    say(f"Port {wanted} is taken; {purpose} uses {port} instead.")
    return port


def _free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in (97, 99):  # this machine has no IPv6
                continue
            return False
    return True
