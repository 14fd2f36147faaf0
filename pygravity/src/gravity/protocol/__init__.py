"""Gravity's protocol as pure logic, without sockets, threads or clocks."""
