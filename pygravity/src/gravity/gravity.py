"""The module `gravity.gravity`: the constants, such as `gravity.SUCCESS`, and all classes."""

from __future__ import annotations

from .callbacks import GravityHeartbeatListener as GravityHeartbeatListener
from .callbacks import GravityRequestor as GravityRequestor
from .callbacks import GravityServiceProvider as GravityServiceProvider
from .callbacks import GravitySubscriber as GravitySubscriber
from .GravityDataProduct import GravityDataProduct as GravityDataProduct
from .log import Log as Log
from .log import Logger as Logger
from .log import SpdLog as SpdLog
from .node import GravityNode as GravityNode
from .protocol.codes import *  # noqa: F403
