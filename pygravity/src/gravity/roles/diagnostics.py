"""Data products that a node publishes itself, if configured: settings, metrics and the application's log."""

from __future__ import annotations

import time

from google.protobuf.message import Message

from ..GravityConfigParamPB_pb2 import GravityConfigParamPB
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..GravityLogMessagePB_pb2 import GravityLogMessagePB
from ..io import Loop, now_us
from ..protocol.codes import TCP
from ..protocol.config import Parameters
from ..protocol.envelope import fill
from ..protocol.names import LOG_PRODUCT, METRICS_PRODUCT, SETTINGS_PRODUCT
from .directory_client import DirectoryClient
from .metrics import Metrics
from .publisher import PublisherRole
from .registrar import Registrar


class Diagnostics:
    """A node's own data products; nothing is published before `begin`."""

    def __init__(
        self,
        component_id: str,
        parameters: Parameters,
        directory: DirectoryClient,
        registrar: Registrar,
        publisher_role: PublisherRole,
    ) -> None:
        self._component_id = component_id
        self._parameters = parameters
        self._directory = directory
        self._registrar = registrar
        self._publisher_role = publisher_role
        self._begun = False
        self._published: dict[str, str] = {}  # settings by key

    def begin(self) -> None:
        """Start publishing; register the settings product if configured."""
        if self._parameters.yes("GravitySettingsPublishEnabled"):
            self._registrar.register(SETTINGS_PRODUCT, TCP, cache=False)
        self._begun = True

    def publish_setting(self, key: str, default: str) -> None:
        """Publish the text of a parameter that the application has read, if that is configured and it is news."""
        value = self._parameters.text(key, default)
        if SETTINGS_PRODUCT in self._publisher_role and self._published.get(key) != value:
            self._published[key] = value
            message = GravityConfigParamPB(key=key, value=value, is_default=not self._parameters.is_set(key))
            self._publish(SETTINGS_PRODUCT, message, self._component_id)

    def log(self, level: str, line: str) -> None:
        """Publish a line of the application's log; drop it if the log product cannot be registered yet."""
        if not self._begun:
            return
        if LOG_PRODUCT not in self._publisher_role:
            self._registrar.register(LOG_PRODUCT, TCP, cache=False)
        self._publish(LOG_PRODUCT, GravityLogMessagePB(level=level, message=line))

    def begin_metrics(self, metrics: Metrics, loop: Loop) -> None:
        """Sample and publish `metrics` at the configured intervals, in the thread of `loop`."""
        self._registrar.register(METRICS_PRODUCT, TCP, cache=False, anonymous=True)
        period = max(1, self._parameters.integer("GravityMetricsSamplePeriodSeconds", 10))
        samples = max(1, self._parameters.integer("GravityMetricsSamplesPerPublish", 6))

        def sample(due: float) -> None:
            metrics.sample(now_us())
            if metrics.samples >= samples:
                message = metrics.take(self._component_id, self._directory.ip)
                self._publish(METRICS_PRODUCT, message, self._component_id)
            loop.call_at(due + period, lambda: sample(due + period))

        first = time.monotonic() + period
        metrics.begin(now_us())
        loop.call(lambda: loop.call_at(first, lambda: sample(first)))

    def _publish(self, id: str, message: Message, filter_text: str = "") -> None:
        self._publisher_role.publish(fill(GravityDataProductPB(dataProductID=id), message), filter_text, 0)
