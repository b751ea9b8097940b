"""`python -m pj` is the command `pj`."""

import sys

from pj.cli import main

sys.exit(main())
