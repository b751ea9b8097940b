"""What Python runs first in every job: Ctrl-C ends it at once, without a traceback, until `pj` handles it.

Python imports the first module of this name on its path when it starts; another one is imported after this.
"""

import os
import signal
import sys

if "PJ_JOB" in os.environ:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

_here = __file__.rpartition(os.sep)[0]  # without imports that a start would wait for
sys.path[:] = [path for path in sys.path if path != _here]
_own = sys.modules.pop(__name__)
try:
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401
except ImportError:
    sys.modules[__name__] = _own
