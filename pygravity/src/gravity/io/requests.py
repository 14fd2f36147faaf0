"""The two ends of a request: REQ and REP sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import zmq

from .watched_socket import WatchedSocket

_BATCH = 1000  # requests answered at a time


class Requester(WatchedSocket):
    """A REQ socket that waits for a reply. Used only in its loop's thread."""

    def receive(self) -> bytes:
        """Return the first frame of the reply that has arrived."""
        return self.socket.recv_multipart()[0]


class Responder(WatchedSocket):
    """A REP socket. Used only in its loop's thread."""

    def __init__(self, responder: zmq.Socket[bytes], url: str) -> None:
        super().__init__(responder)
        self.url = url

    def serve(self, answer: Callable[[bytes], bytes]) -> None:
        """Answer the requests that have arrived, at most one batch, with `answer(request frame)`."""
        with contextlib.suppress(zmq.Again):
            for _ in range(_BATCH):
                request = self.socket.recv_multipart(zmq.NOBLOCK)
                self.socket.send(answer(request[0]))
