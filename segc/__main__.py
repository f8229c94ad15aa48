"""`python -m segc`, where the `segc` script is not on the path."""

from segc.cli import main

main()
