"""``python -m orchestrator.guard``; see `orchestrator.guard.process`."""

import sys

from orchestrator.guard.process import main

sys.exit(main())
