"""`python -m flows.cli`: the `backsight` command where it is not installed as a script."""

from flows.cli import main

main()
