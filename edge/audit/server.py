"""A stand-in for the server on this machine: takes a box's messages over real CURVE, answers as the server does, keeps
nothing."""

from __future__ import annotations

import threading

import zmq

from pipeline import wire
from pipeline.errors import WireError
from pipeline.framing import REPLY_BYTES, pad, unpad
from pipeline.keys import new_keys


class StandIn:
    """`serve` on a thread until `stop`. `received` counts messages."""

    def __init__(self) -> None:
        keys = new_keys("server")
        self.public_z85 = keys.curve_public_z85
        self.received = 0
        self._stop = threading.Event()
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.curve_server = True
        self._socket.curve_secretkey = keys.curve_secret
        self._socket.linger = 0
        port = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"

    def serve(self) -> None:
        """Answer until told to stop."""
        while not self._stop.is_set():
            if not self._socket.poll(100):
                continue
            peer, frame = self._socket.recv_multipart()
            try:
                message = wire.decode(unpad(frame))
            except WireError:
                continue
            self.received += 1
            answer: wire.Reply = wire.Ack(message.epoch, message.sequence)
            if isinstance(message, wire.Hello):
                answer = wire.Anchor(0, 0, (0, 0, 0, 0))
            self._socket.send_multipart([peer, pad(wire.encode(answer), REPLY_BYTES)])
        self._socket.close()
        self._context.term()

    def stop(self) -> None:
        """End `serve`."""
        self._stop.set()
