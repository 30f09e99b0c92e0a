"""`python -m hailong`."""

import sys

from hailong.cli import main

sys.exit(main())
