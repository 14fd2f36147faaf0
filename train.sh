#!/bin/sh
# Trains a model: runs a Service Directory, the publisher and the detector until the model is saved.
#   ./train.sh [--windows] [--no-dashboard] [--report FILE] [--csv FILE ... | --replay FILE]
export CALLED_FROM="$PWD"  # where the user's files are
cd "$(dirname "$(readlink -f "$0")")" || exit 1  # also through a symbolic link
. launch/environment.sh
prepare requirements.txt
exec "$PYTHON" -E -m launch train "$@"
