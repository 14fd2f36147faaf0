"""`python -m cluster train|detect`: what train.sh and detect.sh run."""

import cluster.interruptible  # noqa: F401  before all that takes time to import

import sys

from cluster.launch import main

sys.exit(main())
