#!/bin/sh
# Detects an anomaly: runs a Service Directory, a publisher whose streams change at sample ANOMALY_START (default 500),
# and the detector, until stopped with Ctrl-C or, with --csv or --replay, until the file ends.
#   ./detect.sh [--windows] [--no-dashboard] [--report FILE] [--record FILE] [--record-alarms FOLDER]
#               [ANOMALY_START | --csv FILE ... | --replay FILE]
export CALLED_FROM="$PWD"  # where the user's files are
cd "$(dirname "$(readlink -f "$0")")" || exit 1  # also through a symbolic link
. launch/environment.sh
prepare requirements.txt
exec "$PYTHON" -E -m launch detect "$@"
