"""``python -m pyoci``: the program without its launcher."""

from __future__ import annotations

from pyoci.cli.main import main

if __name__ == "__main__":
    main()
