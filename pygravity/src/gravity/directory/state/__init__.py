"""The Service Directory's knowledge, without sockets, threads or clocks."""
