"""``python -m callboard.demo``."""

import sys

from callboard.demo import main

if __name__ == "__main__":
    sys.exit(main())
