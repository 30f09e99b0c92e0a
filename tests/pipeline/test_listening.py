"""A listening socket that takes what there is room for, and gives places back."""

from __future__ import annotations

import socket

import pytest

from pipeline.listening import Room, bounded


def test_places_are_taken_and_given_back() -> None:
    room = Room(3, 2)
    assert [room.take("a"), room.take("a"), room.take("a"), room.take("b"), room.take("c")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    room.leave("a")
    assert [room.take("b"), room.take("c"), room.take("b")] == [True, False, False]
    for host in ("a", "b", "b"):
        room.leave(host)
    assert [room.take("c"), room.take("c"), room.take("c")] == [True, True, False]


def test_what_there_is_no_room_for_is_closed_at_once_and_a_place_that_is_left_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain, bounded(plain, Room(3, 2)) as listener:

        def come(source: str = "127.0.0.1") -> socket.socket:
            return socket.create_connection(listener.getsockname(), 60, source_address=(source, 0))

        came = [come(), come(), come(), come("127.0.0.2")]
        taken = [listener.accept()[0] for _ in range(2)]
        with pytest.raises(ConnectionAbortedError):
            listener.accept()
        assert came[2].recv(1) == b""
        taken.append(listener.accept()[0])
        taken[2].sendall(b"x")
        assert came[3].recv(1) == b"x"
        taken[0].close()
        taken[0].close()  # a place is given back once
        came += [come(), come()]
        taken.append(listener.accept()[0])
        with pytest.raises(ConnectionAbortedError):
            listener.accept()
        for one in (*came, *taken):
            one.close()
