"""`python -m surveil` is the command `surveil`."""

from surveil.cli import main

main()
