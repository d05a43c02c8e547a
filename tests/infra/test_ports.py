"""Ports: the preferred one where it is free, another one where it is not."""

import socket

from infra.local.ports import choose_port, is_free


def test_a_free_preferred_port_is_taken():
    port = choose_port(0)
    assert choose_port(port) == port


def test_a_port_in_use_is_replaced_by_a_free_one():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        assert not is_free(taken)
        chosen = choose_port(taken)
        assert chosen != taken
        assert is_free(chosen)


def test_a_port_promised_to_another_service_is_not_given_twice():
    port = choose_port(0)
    assert choose_port(port, taken=[port]) != port
