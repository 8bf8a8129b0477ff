"""`python -m bandari.serving.gateway`."""

import sys

from bandari.serving.gateway.program import main

sys.exit(main(sys.argv[1:]))
