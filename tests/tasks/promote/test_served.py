"""What a registered model brings along is all that it needs."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from tasks.promote.promote import promote
from tasks.promote.registry import REQUIREMENTS
from tasks.promote.spec import Policy, PromoteSpec
from tasks.spec import HOUSE
from tasks.stage import execute
from tasks.store import ArtefactStore
from tests.local_stack import LocalStack
from tests.promotions import publish_evaluation
from tests.published import checkpoint


class Imports(ast.NodeVisitor):
    """Every module that a file imports when it runs, also inside functions."""

    def __init__(self, source: Path) -> None:
        self.names: set[str] = set()
        self.visit(ast.parse(source.read_text()))

    def visit_If(self, node: ast.If) -> None:
        if not (isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"):
            self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        self.names |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.names |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}


def reached(module: str, known: set[str]) -> set[str]:
    """All that a module of ours imports, directly or through others of ours."""
    path = HOUSE / module.replace(".", "/")
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module in known or not source.exists():
        return known
    known = known | {module}
    for name in Imports(source).names:
        known = reached(name, known) if name.startswith("model.") else known | {name.partition(".")[0]}
    return known


def test_the_pinned_requirements_are_all_that_prediction_imports() -> None:
    # A served model answers arrays; videos and pictures are for the command, which has the whole house.
    found = reached("model.signature", reached("model.predict", {"model.recall"}))
    names = {name for name in found if not name.startswith("model")}
    assert {"torch", "transformers"} <= names - set(sys.stdlib_module_names) <= set(REQUIREMENTS)


def test_a_real_server_keeps_the_model_and_gives_it_back(
    stack: LocalStack, store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, name = stack.settings()["MLFLOW_TRACKING_URI"], "over-http"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    id = checkpoint(store, tmp_path)
    evaluation = publish_evaluation(store, id, 0.2)
    execute(PromoteSpec(evaluation=evaluation, policy=Policy(resamples=1000), registered=name), promote)
    version = MlflowClient(uri, uri).get_model_version_by_alias(name, "champion")
    assert version.tags["checkpoint"] == id
    kept = Path(mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path), tracking_uri=uri))
    stored = store.read(store.manifest(id).blobs["weights.safetensors"])
    assert (kept / "data/checkpoint/weights.safetensors").read_bytes() == stored
    assert "torch==" in (kept / "requirements.txt").read_text()
