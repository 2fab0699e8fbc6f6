"""`python -m tasks.validate`."""

import sys

from tasks.stage import main
from tasks.validate.spec import ValidateSpec
from tasks.validate.validate import validate

sys.exit(main(ValidateSpec, validate))
