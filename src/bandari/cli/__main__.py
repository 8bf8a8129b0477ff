"""`python -m bandari.cli`."""

from bandari.cli.main import main

main()
