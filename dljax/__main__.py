"""``python -m dljax``: the dljax command."""

import sys

from dljax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
