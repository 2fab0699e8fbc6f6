"""`python -m tasks.promote --spec spec.json`."""

import sys

from tasks.promote.promote import promote
from tasks.promote.spec import PromoteSpec
from tasks.stage import main

sys.exit(main(PromoteSpec, promote))
