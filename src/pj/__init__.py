"""Re-run the ablations of a paper or report, several seeds each, and say which of its claims hold."""

import os
import signal
import threading

__version__ = "0.1.0"

# Ctrl-C ends a job of the workflow without a traceback while it imports; then `pj.workflow.jobs` handles it.
if "PJ_JOB" in os.environ and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.SIG_DFL)
