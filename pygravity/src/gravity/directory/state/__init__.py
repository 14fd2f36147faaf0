"""The Service Directory's state as pure logic, without sockets, threads or clocks."""
