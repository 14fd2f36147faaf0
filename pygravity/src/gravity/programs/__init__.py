"""Gravity's programs besides the Service Directory: ConfigServer, Archiver, Playback, Relay and LogRecorder."""
