"""Gravity's constants: return codes, transports and log levels, all of them plain integers.

NOT_INITIALIZED and RESERVED_DATA_PRODUCT_ID are names of ours: the reference returns these codes too but has no
Python name for them.
"""

from __future__ import annotations

from .io import EPGM as EPGM
from .io import INPROC as INPROC
from .io import IPC as IPC
from .io import PGM as PGM
from .io import TCP as TCP

SUCCESS = 0
FAILURE = -1
NO_SERVICE_DIRECTORY = -2
REQUEST_TIMEOUT = -3
DUPLICATE = -4
REGISTRATION_CONFLICT = -5
NOT_REGISTERED = -6
NO_SUCH_SERVICE = -7
LINK_ERROR = -8
INTERRUPTED = -9
NO_SERVICE_PROVIDER = -10
NO_PORTS_AVAILABLE = -11
INVALID_PARAMETER = -12
NOT_INITIALIZED = -13
RESERVED_DATA_PRODUCT_ID = -14

GRAVITY_LOG_FATAL = 0
GRAVITY_LOG_CRITICAL = 1
GRAVITY_LOG_WARNING = 2
GRAVITY_LOG_MESSAGE = 3
GRAVITY_LOG_DEBUG = 4
GRAVITY_LOG_TRACE = 5

SPD_LOG_TRACE = 0
SPD_LOG_DEBUG = 1
SPD_LOG_INFO = 2
SPD_LOG_WARNING = 3
SPD_LOG_ERROR = 4
SPD_LOG_CRITICAL = 5
SPD_LOG_OFF = 6
