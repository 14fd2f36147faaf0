"""The frame of every node's program: start and end, joining the cluster, settings, errors, messages to the user."""
