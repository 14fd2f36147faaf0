"""Gravity's protocol without sockets, threads or clocks: bytes and times in, bytes and decisions out."""
