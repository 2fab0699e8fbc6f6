"""Generated Secrets: what is there stays, what two namespaces share is equal."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from infra.cluster.secrets import SERVICES, TASKS, main, missing
from tasks.errors import BacksightError


def by_place(made: list[dict[str, object]]) -> dict[tuple[str, str], dict[str, str]]:
    return {(m["metadata"]["namespace"], m["metadata"]["name"]): m["stringData"] for m in made}  # type: ignore[index,misc]


def test_namespaces_share_the_same_keys() -> None:
    made = by_place(missing({}, "walks"))
    assert made[SERVICES, "backsight-s3"] == made[TASKS, "backsight-s3"]
    assert made[TASKS, "backsight-s3"]["BACKSIGHT_S3_BUCKET"] == "walks"
    assert (SERVICES, "backsight-signing") not in made, "promote alone signs"
    assert "PRIVATE KEY" in made[TASKS, "backsight-signing"]["model.key"]
    assert "PUBLIC KEY" in made[TASKS, "backsight-signing"]["model.pub"]
    passwords = [values["password"] for values in made.values() if "password" in values]
    assert len(set(passwords)) == len(passwords)


def test_what_is_there_stays_and_is_copied() -> None:
    held = by_place(missing({}, "walks"))
    assert missing(held, "other") == []
    kept = held.pop((TASKS, "backsight-s3"))
    (again,) = missing(held, "other")
    assert again["stringData"] == kept


def fake_kubectl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "kubectl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_values_reach_kubectl_on_its_input_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = f"""echo "$@" >> {tmp_path}/words
case "$*" in *get*) echo '{{"items": []}}' ;; *) cat > {tmp_path}/input ;; esac"""
    fake_kubectl(tmp_path, script, monkeypatch)
    main(["--context", "trial"])
    made = json.loads((tmp_path / "input").read_text())["items"]
    words, said = (tmp_path / "words").read_text(), capsys.readouterr().out
    assert "--context trial" in words
    for secret in made:
        for name, value in secret["stringData"].items():
            if name in ("password", "BACKSIGHT_S3_SECRET_KEY", "PREFECT_API_AUTH_STRING"):
                assert value not in words and value not in said


def test_kubectls_refusal_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_kubectl(tmp_path, "echo 'Unable to connect to the server' >&2; exit 1", monkeypatch)
    with pytest.raises(BacksightError, match="Unable to connect"):
        main([])
