"""`python -m tasks.train --spec spec.json`: alone, under torchrun or SLURM, or starting its own ranks."""

import sys

from tasks.train.launch import launch

sys.exit(launch(sys.argv[1:]))
