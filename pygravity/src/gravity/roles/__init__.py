"""The roles of a node at work: each connects a part of the protocol to sockets, threads and callbacks."""
