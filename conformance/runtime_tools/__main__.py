"""`python3 -m conformance.runtime_tools`."""

from __future__ import annotations

from conformance.runtime_tools.main import main

raise SystemExit(main())
