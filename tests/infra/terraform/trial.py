"""`make cloud`: the cloud's files applied and destroyed, twice, against an emulator of AWS.

Each round: apply, a second plan that must change nothing, destroy, and nothing may be left. Needs terraform, its AWS
provider (from the registry, or in a folder where it is installed) and a Python that has moto.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOUSE = Path(__file__).parents[3]
FILES = HOUSE / "infra" / "terraform"
SERVER = Path(__file__).with_name("aws_server.py")
SERVICES = ("budgets", "ec2", "ecr", "eks", "iam", "kms", "s3", "secretsmanager", "sts")
ROUNDS = 2


def main() -> None:
    """Do the rounds, and print a line for each."""
    if missing := lacking():
        sys.exit(f"cloud: NOT TRIED: {missing}")
    with tempfile.TemporaryDirectory(prefix="backsight-cloud-") as name, aws_server() as (address, process):
        folder = Path(name)
        prepare(folder, address)
        for number in range(1, ROUNDS + 1):
            begun = time.monotonic()
            made = applied(folder)
            print(f"round {number}: {made} resources made, the second plan changes nothing", end=", ", flush=True)
            terraform(folder, "destroy", "-auto-approve", "-input=false", *variables())
            left = json.loads(terraform(folder, "show", "-json")).get("values")
            if left:
                sys.exit(f"cloud: destroy left {left}")
            print(f"all destroyed; {time.monotonic() - begun:.0f} s", flush=True)
            assert process.poll() is None


def applied(folder: Path) -> int:
    """Apply, plan again; how many resources there are."""
    terraform(folder, "apply", "-auto-approve", "-input=false", *variables())
    again = run(folder, "plan", "-input=false", "-detailed-exitcode", *variables())
    if again.returncode != 0:
        sys.exit(f"cloud: the second plan would change something:\n{again.stdout}{again.stderr}")
    return len(terraform(folder, "state", "list").splitlines())


def lacking() -> str | None:
    """What is not installed here; None where all is."""
    if shutil.which("terraform") is None:
        return "terraform is not installed here"
    if python_with_moto() is None:
        return "no Python here has moto (pip install 'moto[server]')"
    return None


def python_with_moto() -> str | None:
    """The first interpreter on the path that can serve."""
    for name in (sys.executable, "python3", "python"):
        program = shutil.which(name)
        probe = [program or name, "-c", "import moto.server, flask"]
        if program and subprocess.run(probe, capture_output=True, cwd="/").returncode == 0:
            return program
    return None


def plugins() -> list[str]:
    """Where the provider lies already, as words for `terraform init`; none = it is fetched."""
    mirrors = [Path.home() / ".terraform.d" / "plugins", Path("/usr/local/share/terraform/plugins")]
    mirrors += [Path("/usr/share/terraform/plugins"), *Path("/opt").glob("*")]
    wanted = Path("registry.terraform.io/hashicorp/aws/5.100.0")
    return next(([f"-plugin-dir={mirror}"] for mirror in mirrors if (mirror / wanted).is_dir()), [])


def prepare(folder: Path, address: str | None) -> None:
    """A copy of the files with the provider installed; with an address, every service is the emulator's."""
    for file in [*FILES.glob("*.tf"), *FILES.glob("*.tfvars")]:
        shutil.copy(file, folder)
    if address:
        endpoints = "\n".join(f'    {service} = "{address}"' for service in SERVICES)
        (folder / "emulator_override.tf").write_text(
            'provider "aws" {\n  access_key = "emulated"\n  secret_key = "emulated"\n  s3_use_path_style = true\n'
            "  skip_credentials_validation = true\n  skip_metadata_api_check = true\n"
            f"  endpoints {{\n{endpoints}\n  }}\n}}\n"
        )
    terraform(folder, "init", "-input=false", "-backend=false", *plugins())


def variables() -> list[str]:
    """The trial's variables; our emulator knows budgets."""
    return ["-var-file=trial.tfvars", "-var=monthly_budget_usd=1000"]


@contextmanager
def aws_server() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The emulator's address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(python_with_moto()), str(SERVER), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    try:
        address = f"http://127.0.0.1:{port}"
        await_answer(f"{address}/moto-api/")
        yield address, process
    finally:
        process.terminate()
        process.wait()


def await_answer(page: str) -> None:
    """Return when a page is there."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return urllib.request.urlopen(page, timeout=5).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def terraform(folder: Path, *words: str) -> str:
    """What terraform says; ends here where it fails."""
    done = run(folder, *words)
    if done.returncode != 0:
        sys.exit(f"cloud: terraform {words[0]} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run terraform in a folder, with no configuration of this machine's."""
    settings = {"TF_CLI_CONFIG_FILE": "/dev/null", "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}
    command = ["terraform", words[0], *(["-no-color"] if words[0] not in ("state", "fmt") else []), *words[1:]]
    return subprocess.run(command, cwd=folder, env={**os.environ, **settings}, capture_output=True, text=True)


if __name__ == "__main__":
    main()
