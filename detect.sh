#!/bin/sh
# Detects an anomaly: runs a Service Directory, a publisher whose streams change at sample ANOMALY_START (500),
# and the detector, until it is stopped (Ctrl-C).
#   ./detect.sh [--windows] [ANOMALY_START | --csv FILE ...]
export CALLED_FROM="$PWD"  # where the user's files are
cd "$(dirname "$(readlink -f "$0")")" || exit 1  # also through a symbolic link
. cluster/environment.sh
prepare requirements.txt
exec "$PYTHON" -E -m cluster detect "$@"
