"""Great Expectations is imported without what no check calls, whole for whoever asks; a configuration is remembered."""

from __future__ import annotations

import subprocess
import sys

from tasks.validate.library import import_library, remembered_configurations

SCRIPT = """
import sys
from tasks.validate.library import import_library
import_library()
import great_expectations.expectations.core.expect_column_kl_divergence_to_be_less_than as asked
spared = {"sqlalchemy", "altair", "scipy.stats._stats_py"} & sys.modules.keys()
assert not spared, spared
# What the library itself asks for is loaded then, and is what everybody else imports.
assert asked.stats.entropy([0.5, 0.5]) > 0.69
import altair, scipy.stats, sqlalchemy
assert asked.stats.norm is scipy.stats.norm and asked.alt.Chart is altair.Chart
assert type(altair) is type(scipy.stats) is type(sys)
assert sqlalchemy.create_engine
"""


def test_what_is_spared_is_there_for_whoever_asks() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_configuration_is_put_together_again_where_its_check_was_changed() -> None:
    import_library()
    import great_expectations.expectations as gxe

    check = gxe.ExpectColumnValuesToBeBetween(column="a", min_value=1)
    with remembered_configurations():
        first = check.configuration
        assert check.configuration is first
        check.min_value = 2
        assert check.configuration.kwargs["min_value"] == 2
    assert check.configuration is not check.configuration
