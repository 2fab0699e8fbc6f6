"""`python -m tasks.collect --spec spec.json`."""

import sys

from tasks.collect.collect import collect
from tasks.collect.spec import CollectSpec
from tasks.stage import main

if __name__ == "__main__":
    sys.exit(main(CollectSpec, collect))
