"""Types the README's commands, line by line, into a shell. Where a line says `tiny`, the smallest night is taken."""

from __future__ import annotations

import re
import subprocess

import pytest

from tasks.spec import HOUSE
from tests.local_stack import LocalStack

SMALLEST = "tests/presets/smoke.yaml"
SEED = "7"
"""The seed of the night that the flows' tests run too, so that whoever comes second finds its outcomes."""

RUNS_THIS_TEST = "make test"


def commands() -> list[str]:
    """Every line of the README's shell blocks."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (HOUSE / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def smallest(command: str) -> str:
    """The same command on the smallest preset."""
    if command == "make demo":
        return f"make demo PRESET={SMALLEST} SEED={SEED}"
    return command.replace("nightly --preset tiny", f"nightly --preset {SMALLEST} --seed {SEED}").replace(
        "--preset tiny", f"--preset {SMALLEST}"
    )


def test_the_readme_names_the_two_commands() -> None:
    assert {"make demo", RUNS_THIS_TEST} <= set(commands())


def test_the_readme_links_to_every_page_and_to_none_that_is_not_there() -> None:
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)\)", (HOUSE / "README.md").read_text()))
    assert all((HOUSE / link).is_file() for link in links)
    assert {f"docs/{page.name}" for page in (HOUSE / "docs").glob("*.md")} <= links


@pytest.mark.parametrize("command", [line for line in commands() if line != RUNS_THIS_TEST])
def test_a_command_of_the_readme_works(command: str, stack: LocalStack) -> None:
    typed = smallest(command)
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=HOUSE,
        env=stack.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip()
