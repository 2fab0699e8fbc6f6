"""`python -m tasks.monitor --spec spec.json`."""

import sys

from tasks.monitor.monitor import monitor
from tasks.monitor.spec import MonitorSpec
from tasks.stage import main

sys.exit(main(MonitorSpec, monitor))
