"""`python -m tasks.evaluate --spec spec.json`."""

import sys

from tasks.evaluate.evaluate import evaluate
from tasks.evaluate.spec import EvaluateSpec
from tasks.stage import main

sys.exit(main(EvaluateSpec, evaluate))
