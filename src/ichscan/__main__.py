"""`python -m ichscan`."""

import sys

from ichscan.cli import main

sys.exit(main())
