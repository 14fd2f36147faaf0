"""Notices when another run of the Service Directory answers: one that has started anew knows no registrations."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..log import library_log
from ..protocol.directory_messages import Publisher
from ..protocol.names import REGISTERED_PUBLISHERS
from .directory_client import DirectoryClient

PERIOD = 2.0  # seconds between two questions; a restart is noticed within this time
TIMEOUT = 2.0  # seconds to wait for an answer


class DirectoryWatch:
    """Asks the Service Directory regularly, in a thread of its own, which run of it answers.

    The publisher of its updates, with its time of registration, tells one run from the next. A directory that
    restarts within a second may have the same; then what it does not list tells.
    """

    def __init__(
        self,
        directory: DirectoryClient,
        domain: str,
        is_listed: Callable[[float], bool],
        renew: Callable[[Publisher], bool],
        lost: Callable[[], None],
    ) -> None:
        """Start watching.

        `is_listed(timeout)` says whether the directory knows the node. `renew(publisher of its updates)` is called
        for a directory that has started anew, and again until it returns True. `lost()` is called when the directory
        stops answering.
        """
        self._directory = directory
        self._domain = domain
        self._is_listed = is_listed
        self._renew = renew
        self._lost = lost
        self._known: Publisher | None = None
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="gravity-directory-watch", daemon=True)
        self._thread.start()

    def restarted(self) -> None:
        """Renew as soon as a directory answers, whichever run of it that is."""
        self._known = None
        self._wake.set()

    def close(self) -> None:
        """Stop; call this after the transport has ended its requests, which the thread may be waiting for."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        self._known = self._updates()
        answers = True
        while not self._closing:
            self._wake.wait(PERIOD)
            self._wake.clear()
            found = self._updates()
            if self._closing:
                return
            if found is None:
                if answers:
                    library_log.warning("the Service Directory at %s does not answer", self._directory.url)
                    self._lost()
            elif found != self._known or not self._is_listed(TIMEOUT):
                self._known = found  # before the renewal, in which it may restart again
                if self._renew(found):
                    library_log.warning("registered again with the Service Directory at %s", self._directory.url)
                else:
                    self._known = None
            answers = found is not None

    def _updates(self) -> Publisher | None:
        """Return the publisher of the directory's updates; None without a directory of the domain."""
        found = self._directory.glance(REGISTERED_PUBLISHERS, self._domain, TIMEOUT)
        return found[0] if found else None
