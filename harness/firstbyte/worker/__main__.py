"""`python -m firstbyte.worker`: one order on standard input."""

import sys

from firstbyte.worker.main import main

sys.exit(main())
