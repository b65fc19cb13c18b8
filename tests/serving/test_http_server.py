import socket

import pytest

from serving import http_server


def test_the_socket_says_that_it_is_tcp_so_that_answers_are_not_held_back():
    with http_server.bind(0) as sock:
        assert sock.proto == socket.IPPROTO_TCP
        port = sock.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("::1", port)):
            pass


def test_a_port_that_is_taken_is_an_error():
    with http_server.bind(0) as sock, pytest.raises(OSError, match="in use"):
        http_server.bind(sock.getsockname()[1])


def test_without_ipv6_it_listens_on_ipv4(monkeypatch):
    real = socket.socket

    def no_ipv6(family=socket.AF_INET, *rest, **more):
        if family == socket.AF_INET6:
            raise OSError("no IPv6")
        return real(family, *rest, **more)

    monkeypatch.setattr(socket, "socket", no_ipv6)
    with http_server.bind(0) as sock:
        assert sock.getsockname()[0] == "0.0.0.0"


@pytest.mark.parametrize(("host", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_a_host_is_the_only_address(host, other):
    with http_server.bind(0, host) as sock:
        port = sock.getsockname()[1]
        assert sock.proto == socket.IPPROTO_TCP
        with socket.create_connection((host, port)):
            pass
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((other, port))


def test_a_host_that_is_none_is_an_error():
    with pytest.raises(OSError, match=r"."):
        http_server.bind(0, "no such host")
