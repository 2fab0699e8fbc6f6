"""`python -m tasks.promote --spec spec.json`."""

import os
import sys

from tasks.promote.promote import promote
from tasks.promote.spec import PromoteSpec
from tasks.stage import main

# MLflow's bars for each file of a model would bury the stage's own progress in the log.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

sys.exit(main(PromoteSpec, promote))
