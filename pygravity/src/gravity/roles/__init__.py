"""The roles of a node: each connects a part of the protocol to sockets, threads and callbacks."""
