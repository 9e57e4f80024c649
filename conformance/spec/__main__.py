"""`python3 -m conformance.spec`."""

from __future__ import annotations

from conformance.spec.main import main

raise SystemExit(main())
