import socket

from seqzoo import ports


def test_a_free_port_is_taken_as_wanted():
    with socket.socket() as probe:
        probe.bind(("", 0))
        free = probe.getsockname()[1]
    said = []
    assert ports.choose(free, "gRPC", said.append) == free
    assert said == []


def test_a_port_that_is_taken_is_named_and_another_one_used():
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
        with socket.socket(family) as taken:
            taken.bind((address, 0))
            taken.listen()
            wanted = taken.getsockname()[1]
            said = []
            port = ports.choose(wanted, "HTTP", said.append)
            assert port != wanted
            assert said == [f"Port {wanted} is taken; HTTP uses {port} instead."]
            with socket.socket() as probe:
                probe.bind(("", port))
