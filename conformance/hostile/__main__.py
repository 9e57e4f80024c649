"""``python3 -m conformance.hostile``."""

from __future__ import annotations

import sys

from conformance.hostile.main import main

sys.exit(main())
