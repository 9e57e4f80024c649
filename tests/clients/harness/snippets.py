"""The configuration that docs/clients.md tells people to use, for the tests to use it, too.

A block of code there has a name in the comment above it: <!-- config: NAME -->.
"""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "clients.md"
BLOCK = re.compile(r"<!-- config: (\S+) -->\n+```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Where the page says that pyoci is.
INSTALLED = Path("/usr/local/bin/pyoci")


def parse_snippets(page: str) -> dict[str, str]:
    """The named blocks of a page."""
    return dict(BLOCK.findall(page))


def read_snippet(name: str) -> str:
    """The block of this name."""
    return parse_snippets(PAGE.read_text())[name]
