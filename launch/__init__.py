"""Runs a cluster for train.sh and detect.sh."""
