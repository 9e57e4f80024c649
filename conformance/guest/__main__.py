"""`python3 -m conformance.guest`."""

from __future__ import annotations

from conformance.guest.main import main

raise SystemExit(main())
