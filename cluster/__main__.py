"""`python -m cluster train|detect`: what train.sh and detect.sh run."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports: nothing runs yet, so just end

from cluster.launch import main  # noqa: E402

sys.exit(main())
