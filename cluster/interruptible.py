"""Imported first by a program: until cluster.program.run, Ctrl-C just ends it, for nothing runs yet."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)
