"""Keeps what a run takes and tells in files, all of it or what surrounds its alarms; knows nothing of anomalies."""
