"""CURVE: one key encrypts all connections of a cluster, and keeps out everybody who does not have it.

Each socket that binds is a CURVE server that admits the cluster's key alone; each socket that connects requires this
key of the server and shows it as its own. So a node needs one file, whether it publishes, subscribes or does both.
Fresh keys for each connection (CurveZMQ, https://rfc.zeromq.org/spec/26/) keep recordings of the past secret even
if the file leaks later. Sockets of inproc exchange no bytes outside of their process, and ignore all this.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from zmq.utils import z85

from ..protocol.config import ConfigError, Parameters

SETTING = "CurveKeyFile"
_BINDING = (zmq.XPUB, zmq.REP)  # the kinds of sockets that bind; the others connect
_ZAP_ADDRESS, _ZAP_VERSION, _ZAP_DOMAIN = "inproc://zeromq.zap.01", b"1.0", b"gravity"
_LONGEST = 1000  # bytes read from a file that may not be a key


@dataclass(frozen=True, slots=True)
class CurveKey:
    """A key pair in Z85, 40 characters each."""

    public: bytes
    secret: bytes = field(repr=False)


def cluster_key(parameters: Parameters) -> CurveKey | None:
    """Return the key in the file that CurveKeyFile names, or None if it is not set; raise ConfigError."""
    return read_key(parameters.file(SETTING)) if parameters.text(SETTING) else None


def read_key(path: Path) -> CurveKey:
    """Return the key in a file, which others must not be able to read or change; raise ConfigError."""
    path = path.resolve()
    name = shlex.quote(str(path))
    _require_curve(path)
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            content = file.read(_LONGEST)
    except FileNotFoundError:
        text = f"{SETTING} names this file, but it is missing; copy the cluster's key there, or make one: "
        raise ConfigError(path, 0, f"{text}gravity keys {name}") from None
    except OSError as error:
        raise ConfigError(path, 0, f"{SETTING} names this file, but it cannot be read ({error.strerror})") from None
    if mode & 0o077:
        raise ConfigError(path, 0, f"the key is open to other users (mode {mode:04o}); run: chmod 600 {name}")
    secret = content.strip()
    try:
        return CurveKey(zmq.curve_public(secret), secret)
    except (ValueError, zmq.ZMQError):  # its length, its characters
        text = "not a key; copy the cluster's key there, or remove this file and make one: "
        raise ConfigError(path, 0, f"{text}gravity keys {name}") from None


def make_key(path: Path) -> None:
    """Write a new key to `path`, complete or not at all, and never over an existing file; raise ConfigError."""
    _require_curve(path)
    _, secret = zmq.curve_keypair()
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:  # mode 0600
            file.write(secret + b"\n")
            file.flush()
            os.fsync(file.fileno())
            os.link(file.name, path)  # unlike a rename, it fails if the target exists
    except FileExistsError:
        raise ConfigError(path, 0, "exists already; keys are never overwritten") from None
    except OSError as error:
        raise ConfigError(path, 0, f"cannot be written ({error.strerror})") from None


def _require_curve(path: Path) -> None:
    if not zmq.has("curve"):
        text = f"libzmq {zmq.zmq_version()} was built without CURVE; install pyzmq's own wheel"
        raise ConfigError(path, 0, f"{text} (pip install --force-reinstall --only-binary :all: pyzmq)")


def secure(opened: zmq.Socket[bytes], key: CurveKey) -> None:
    """Let a socket that has neither bound nor connected yet do so only with `key`; see `admit_own`."""
    opened.set(zmq.CURVE_PUBLICKEY, key.public)
    opened.set(zmq.CURVE_SECRETKEY, key.secret)
    if opened.type in _BINDING:
        opened.set(zmq.CURVE_SERVER, 1)
        opened.set(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
        opened.set(zmq.ZAP_ENFORCE_DOMAIN, 1)  # admit nobody if nobody answers
    else:
        opened.set(zmq.CURVE_SERVERKEY, key.public)


def admit_own(context: zmq.Context[zmq.Socket[bytes]], key: CurveKey) -> None:
    """Admit clients with `key`, and no others, to the secured sockets of `context`, until it is terminated.

    libzmq asks a socket in its own process about each client (ZAP, https://rfc.zeromq.org/spec/27/).
    """
    own: zmq.Context[zmq.Socket[bytes]] = zmq.Context.shadow(context)  # context.destroy() leaves its socket alone
    zap = own.socket(zmq.REP)
    zap.linger = 0
    zap.bind(_ZAP_ADDRESS)
    threading.Thread(target=_admit, args=(zap, z85.decode(key.public)), name="gravity-curve", daemon=True).start()


def _admit(zap: zmq.Socket[bytes], public: bytes) -> None:
    """Answer until the context is terminated; `public`: 32 bytes."""
    with zap, contextlib.suppress(zmq.ContextTerminated):
        while True:
            frames = zap.recv_multipart()  # version, request id, domain, address, identity, mechanism, client's key
            status = [b"200", b"OK"] if frames[5:] == [b"CURVE", public] else [b"400", b"unknown key"]
            zap.send_multipart([_ZAP_VERSION, *frames[1:2], *status, b"", b""])
