"""`python -m tasks.collect --spec spec.json`; in a pod of an Indexed Job, that pod's share of it."""

import sys

from tasks.collect.collect import collect
from tasks.collect.share import is_last
from tasks.collect.spec import CollectSpec
from tasks.stage import main

if __name__ == "__main__":
    sys.exit(main(CollectSpec, collect, first=is_last))
