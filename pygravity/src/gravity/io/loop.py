"""An event loop in a thread of its own."""

from __future__ import annotations

import contextlib
import functools
import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from ..log import library_log
from .datagrams import BroadcastListener
from .watched_socket import WatchedSocket

_RESTORE_PERIOD = 5.0  # seconds between checks for lost connections

Watched = WatchedSocket | BroadcastListener | int  # a socket, or a file descriptor


class _Watch(NamedTuple):
    """A watched socket or descriptor and its handler."""

    watched: Watched
    handler: Callable[[], None]


class Loop:
    """A thread that watches sockets, runs functions for other threads and keeps timers.

    Only `call` and `stop` may be used in other threads.
    """

    def __init__(self, name: str) -> None:
        self._selector = selectors.DefaultSelector()
        self._signalled: dict[int, _Watch] = {}  # by descriptor
        self._calls: deque[Callable[[], None]] = deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._descriptors: dict[Watched, int] = {}
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._stopping = False
        self.watch(self._wake_reader.fileno(), self._drain_wakes)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` in the loop's thread: immediately if called there, otherwise soon."""
        if threading.current_thread() is self._thread:
            function()
        else:
            self._calls.append(function)
            self._wake()

    def call_at(self, when: float, function: Callable[[], None]) -> None:
        """Run `function` when `time.monotonic()` reaches `when`."""
        heapq.heappush(self._timers, (when, next(self._order), function))

    def watch(self, watched: Watched, handler: Callable[[], None]) -> None:
        """Call `handler` whenever a socket or file descriptor is readable."""
        watch = _Watch(watched, handler)
        descriptor = self._descriptors[watched] = watched if isinstance(watched, int) else watched.fileno()
        self._selector.register(descriptor, selectors.EVENT_READ, watch)
        if isinstance(watched, WatchedSocket):
            self._signalled[descriptor] = watch  # its signal may already have passed
            if watched.may_be_lost:
                self.call_at(time.monotonic() + _RESTORE_PERIOD, functools.partial(self._restore, watched))

    def unwatch(self, watched: Watched) -> None:
        """Stop watching; close it if it is a socket."""
        descriptor = self._descriptors.pop(watched, None)
        if descriptor is not None:
            self._selector.unregister(descriptor)
            self._signalled.pop(descriptor, None)
        if not isinstance(watched, int):
            watched.close()

    def stop(self) -> None:
        """Stop the thread after running pending functions, and close the watched sockets."""
        self._stopping = True
        self._wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError, OSError):  # full: already awake; closed: stopped
            self._wake_writer.send(b"\0")

    def _drain_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_reader.recv(4096)

    def _run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(0 if self._signalled else self._until_next_timer()):
                self._signalled[key.fd] = key.data
            for descriptor, watch in list(self._signalled.items()):
                if self._is_signalled(descriptor, watch):  # otherwise an earlier handler has unwatched it
                    self._handle(descriptor, watch)
            if self._calls:
                self._run_calls()
            if self._timers:
                self._run_timers(time.monotonic())
        self._run_calls()
        self._close()

    def _handle(self, descriptor: int, watch: _Watch) -> None:
        """Call the handler; a ZeroMQ socket stays signalled until exhausted, since it will not signal again."""
        watched = watch.watched
        if not isinstance(watched, WatchedSocket):
            del self._signalled[descriptor]
            self._guard(watch.handler)
            return
        if not watched.looks_first or watched.readable():
            watched.exhausted = False
            self._guard(watch.handler)
        if watched.exhausted and self._is_signalled(descriptor, watch):
            del self._signalled[descriptor]

    def _restore(self, watched: WatchedSocket) -> None:
        if watched in self._descriptors:
            watched.restore()
            self.call_at(time.monotonic() + _RESTORE_PERIOD, functools.partial(self._restore, watched))

    def _is_signalled(self, descriptor: int, watch: _Watch) -> bool:
        return self._signalled.get(descriptor) is watch and not self._stopping

    def _close(self) -> None:
        for watched in list(self._descriptors):
            self.unwatch(watched)
        self._selector.close()
        self._wake_reader.close()
        self._wake_writer.close()

    def _run_calls(self) -> None:
        while self._calls:
            self._guard(self._calls.popleft())

    def _run_timers(self, now: float) -> None:
        """Run the timers due at `now`, which is fixed so that a rescheduling timer cannot block the loop."""
        while self._timers and self._timers[0][0] <= now:
            self._guard(heapq.heappop(self._timers)[2])

    def _until_next_timer(self) -> float | None:
        """Return the seconds until the next timer, or None if there is none."""
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _guard(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception:  # one bad message must not stop the node
            library_log.exception("%s: unexpected error", self._thread.name)
