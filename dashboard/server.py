"""Serves the page: Bokeh's server for the plots, and text as JSON."""

from __future__ import annotations

import errno
import json
import logging
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from node.errors import UserError

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.document import Document
from bokeh.server.server import Server
from jinja2 import Environment, FileSystemLoader
from tornado.web import RequestHandler, StaticFileHandler

from dashboard.live import Live
from dashboard.plots import Plots
from dashboard.small_plots import small_plots

PAGE = Path(__file__).parent / "page"
SPANS = {"1 minute": 60, "10 minutes": 600, "1 hour": 3600, "1 day": 86400}  # that can be looked at, in seconds
FEW = 12  # streams that get large plots
MOST_PLACES = 64  # plots of streams; all are in the table
OFTEN = 400  # milliseconds from one update of the large plots to the next
LOOPBACK = ("127.0.0.1", "localhost")


class Text(RequestHandler):
    """Returns what `look` returns, as JSON."""

    def initialize(self, look: Callable[[int], Any]) -> None:
        """`look`: called with the seconds to look back."""
        self._look = look

    def get(self) -> None:
        """Answer a request."""
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.write(json.dumps(self._look(asked(self.request)), allow_nan=False))


def asked(request: Any) -> int:
    """Return how many seconds a request asks to look back; those of the first span if it does not."""
    wanted = request.arguments.get("seconds", []) if request else []
    return next((span for span in SPANS.values() if [str(span).encode()] == wanted), 60)


def serve(live: Live, address: str, port: int) -> Server:
    """Return a server that listens; `port` 0: the system chooses one. Raises UserError if it cannot listen there."""
    for name, level in (("bokeh", logging.WARNING), ("bokeh.server.views.ws", logging.ERROR)):
        logging.getLogger(name).setLevel(level)  # that a viewer has left is nothing to warn of
    logging.getLogger("tornado").setLevel(logging.WARNING)
    port = port or free_port(address)

    def look(_seconds: int) -> dict[str, Any]:
        return live.summary() | {"layout": layout_of(live)}

    try:
        server = Server(
            {"/": Application(FunctionHandler(partial(fill, live)))},
            address=address,
            port=port,
            # On loopback, only pages of this host; elsewhere, whoever reaches the address may look at it anyway.
            allow_websocket_origin=[f"{name}:{port}" for name in LOOPBACK] if address in LOOPBACK else ["*"],
            extra_patterns=[
                ("/status.json", Text, {"look": look}),
                ("/relations.json", Text, {"look": lambda _: live.relations()}),
                ("/plots.json", Text, {"look": lambda seconds: small_plots(live, seconds, MOST_PLACES)}),
                ("/page/(.*)", StaticFileHandler, {"path": str(PAGE)}),
            ],
        )
    except OSError as error:
        remedy = "another port" if error.errno == errno.EADDRINUSE else "an address of this host, or another port,"
        raise UserError(
            f"cannot listen at {address}:{port} ({error.strerror}); set {remedy} in Gravity.ini"
        ) from None
    server.start()
    return server


def free_port(address: str) -> int:
    """Return a port that the system has to spare; Bokeh has to know it before it listens."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def layout_of(live: Live) -> str:
    """Return what a page is made for: one that was made for something else must be loaded again."""
    return json.dumps(live.layout())


def fill(live: Live, document: Document) -> None:
    """Make the page of a new viewer."""
    seconds = asked(getattr(document.session_context, "request", None))
    layout = live.layout()
    places = min(MOST_PLACES, len(layout["streams"]))
    few = places <= FEW
    plots = Plots(document, live, seconds, places if few else 0, layout["training"])
    plots.update()
    document.title = "Anomaly detection"
    document.template = Environment(loader=FileSystemLoader(PAGE), autoescape=True).get_template("page.html")
    document.template_variables.update(
        layout=json.dumps(layout), places=places, few=few, spans=SPANS, seconds=seconds,
        training=layout["training"], related=layout["related"],
    )  # fmt: skip
    document.add_periodic_callback(plots.update, OFTEN)
    document.config.update(reconnect_session=False, notify_connection_status=False)
