"""Models that were changed, added to, never signed, or signed by others are refused on load, with the reason."""

from __future__ import annotations

import json
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from model import signature
from model.signature import SIGNATURE, folder_digests, require_signed, sign, trusted_keys
from tasks.errors import DataError, UsageError
from tasks.predict.networks import CHAMPION, open_network
from tasks.promote.ledger import Ledger
from tasks.promote.promote import promote
from tasks.promote.registry import ModelRegistry
from tasks.promote.signing import key_path, make_key, signing_key, trusted_champion
from tasks.stage import execute
from tasks.store import ArtefactStore
from tasks.store.blobs import key as key_of
from tasks.tracking import NullRun
from tests.promotions import aliased, night, promotion, publish_checkpoint, publish_evaluation
from tests.published import checkpoint


@pytest.fixture
def signed(home: Path, tmp_path: Path) -> Path:
    """A folder of two files and the signature of this machine."""
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "weights").write_bytes(b"numbers")
    (folder / "MLmodel").write_text("flavour")
    (folder / SIGNATURE).write_bytes(sign(folder_digests(folder), "model", signing_key()))
    return folder


def test_a_signed_folder_passes_wherever_it_lies(signed: Path) -> None:
    require_signed(signed)
    (signed / "__pycache__").mkdir()
    (signed / "__pycache__" / "x.pyc").write_bytes(b"made by Python")
    require_signed(signed.rename(signed.with_name("elsewhere")))


def test_the_private_key_is_its_owners_alone_and_the_public_one_lies_beside_it(signed: Path) -> None:
    assert stat.S_IMODE(key_path().stat().st_mode) == 0o600
    assert list(signature.read_keys(trusted_keys())) == [signature.fingerprint(signing_key().public_key())]
    make_key(key_path())
    assert len(signature.read_keys(trusted_keys())) == 1
    require_signed(signed)


def change(folder: Path) -> None:
    (folder / "data" / "weights").write_bytes(b"Numbers")


def remove(folder: Path) -> None:
    (folder / "data" / "weights").unlink()


def add(folder: Path) -> None:
    (folder / "data" / "more").write_bytes(b"")


def unsign(folder: Path) -> None:
    (folder / SIGNATURE).unlink()


def forge(folder: Path) -> None:
    """Change a file and its digest in the statement, but not the signature over it."""
    import base64

    change(folder)
    bundle = json.loads((folder / SIGNATURE).read_bytes())
    payload = json.dumps(signature.statement(folder_digests(folder), "model"), sort_keys=True).encode()
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    (folder / SIGNATURE).write_text(json.dumps(bundle))


def tear(folder: Path) -> None:
    (folder / SIGNATURE).write_bytes((folder / SIGNATURE).read_bytes()[:100])


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (change, "data/weights of the model in .* was changed after it was signed"),
        (remove, "data/weights of the model in .* is missing"),
        (add, "data/more of the model in .* was added"),
        (unsign, "is not signed"),
        (forge, "does not fit what it signs"),
        (tear, "is damaged"),
    ],
)
def test_harm_is_refused_with_its_reason(signed: Path, harm: Callable[[Path], None], said: str) -> None:
    harm(signed)
    with pytest.raises(DataError, match=said):
        require_signed(signed)


def test_a_key_that_nobody_here_trusts_is_refused_until_it_is_added(signed: Path, tmp_path: Path) -> None:
    make_key(tmp_path / "theirs.key")
    theirs = tmp_path / "theirs.pub"
    with pytest.raises(DataError, match="not among those trusted here"):
        require_signed(signed, theirs)
    theirs.write_bytes(theirs.read_bytes() + trusted_keys().read_bytes())
    require_signed(signed, theirs)


def test_without_a_public_key_nothing_is_trusted(signed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSIGHT_PUBLIC_KEY", str(signed / "nowhere"))
    with pytest.raises(UsageError, match="No public key is known"):
        require_signed(signed)


def test_a_named_signing_key_that_is_not_there_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSIGHT_SIGNING_KEY", str(home / "secret.key"))
    with pytest.raises(UsageError, match="where there is no key"):
        signing_key()


def artifacts(uri: str, name: str) -> Path:
    """The folder where the champion's files lie on the server."""
    version = MlflowClient(uri, uri).get_model_version_by_alias(name, "champion")
    return Path(mlflow.artifacts.download_artifacts(version.source, tracking_uri=uri))


def test_a_registered_model_is_checked_when_it_is_loaded(
    store: ArtefactStore, registered: str, tracking_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    execute(promotion(registered, publish_evaluation(store, checkpoint(store, tmp_path), 0.2)), promote)
    model = mlflow.pyfunc.load_model(f"models:/{registered}@champion")
    assert isinstance(model, mlflow.pyfunc.PyFuncModel)
    kept = artifacts(tracking_uri, registered)
    weights = kept / "data/checkpoint/weights.safetensors"
    sound = weights.read_bytes()
    weights.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    with pytest.raises(DataError, match=r"weights\.safetensors of the model in .* was changed after it was signed"):
        mlflow.pyfunc.load_model(f"models:/{registered}@champion")
    weights.write_bytes(sound)
    (kept / SIGNATURE).unlink()
    with pytest.raises(DataError, match="is not signed"):
        mlflow.pyfunc.load_model(f"models:/{registered}@champion")


def test_the_champion_of_the_store_is_checked_before_it_predicts(
    store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = checkpoint(store, tmp_path)
    execute(promotion("backsight", publish_evaluation(store, id, 0.2)), promote)
    assert open_network(CHAMPION, "cpu", False).name == id
    monkeypatch.setattr(ArtefactStore, "ref", without_signature(ArtefactStore.ref))
    with pytest.raises(DataError, match=f"{id} is not signed"):
        open_network(CHAMPION, "cpu", False)


def test_a_checkpoint_by_its_id_is_checked_once_the_gate_has_judged_it(
    store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = checkpoint(store, tmp_path)
    assert "never judged by the gate" in open_network(id, "cpu", False).note
    execute(promotion("backsight", publish_evaluation(store, id, 0.2)), promote)
    assert open_network(id, "cpu", False).note == ""
    with monkeypatch.context() as unsigned, pytest.raises(DataError, match=f"{id} is not signed: its signature is"):
        unsigned.setattr(ArtefactStore, "ref", without_signature(ArtefactStore.ref))
        open_network(id, "cpu", False)
    make_key(tmp_path / "theirs.key")
    monkeypatch.setenv("BACKSIGHT_PUBLIC_KEY", str(tmp_path / "theirs.pub"))
    for name in (id, CHAMPION):
        with pytest.raises(DataError, match="not among those trusted here"):
            open_network(name, "cpu", False)


@pytest.mark.parametrize("name", ["weights.safetensors", "config.json"])
def test_a_tampered_file_of_the_champion_is_refused_before_it_predicts(
    store: ArtefactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    id = checkpoint(store, tmp_path)
    execute(promotion("backsight", publish_evaluation(store, id, 0.2)), promote)
    key = key_of(store.manifest(id).blobs[name])
    sound = store.bucket.get(key).data
    store.bucket.put(key, sound[:-1] + bytes([sound[-1] ^ 1]))
    # Another machine, whose cache holds no sound copy.
    monkeypatch.setenv("BACKSIGHT_PUBLIC_KEY", str(signature.trusted_keys()))
    monkeypatch.setenv("BACKSIGHT_HOME", str(tmp_path / "other"))
    for asked in (CHAMPION, id):
        with pytest.raises(DataError, match="SHA-256"):
            open_network(asked, "cpu", False)


def without_signature(original: Callable) -> Callable:
    """`ArtefactStore.ref` of a store in which nothing was signed."""

    def ref(store: ArtefactStore, kind: str, name: str) -> str | None:
        return None if kind == "signature" else original(store, kind, name)

    return ref


def test_a_broken_chain_anywhere_is_refused_on_load(store: ArtefactStore) -> None:
    first, measured, _ = night(store, "backsight", 0.4)
    night(store, "backsight", 0.1, measured)
    assert trusted_champion(store, "backsight") is not None
    oldest = list(Ledger(store, "backsight").entries())[-1]
    key = f"manifests/{oldest.id}.json"
    forged = store.bucket.get(key).data.replace(first.encode(), publish_checkpoint(store, "mallory").encode())
    store.bucket.put(key, forged)
    with pytest.raises(DataError, match="do not have the SHA-256 of its name"):
        open_network(CHAMPION, "cpu", False)


def test_bytes_that_change_on_the_registrys_side_stop_the_promotion(
    store: ArtefactStore, registered: str, tracking_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, measured, _ = night(store, registered, 0.4)
    pointed = ModelRegistry.point

    def point_and_change(registry: ModelRegistry, alias: str, version: str | None) -> None:
        pointed(registry, alias, version)
        if alias == "champion" and version is not None and first != aliased(tracking_uri, registered)[alias]:
            change_weights(artifacts(tracking_uri, registered))

    monkeypatch.setattr(ModelRegistry, "point", point_and_change)
    with pytest.raises(DataError, match="was changed after it was signed"):
        night(store, registered, 0.1, measured)
    assert aliased(tracking_uri, registered)["champion"] == first


def change_weights(folder: Path) -> None:
    (folder / "data/checkpoint/weights.safetensors").write_bytes(b"others")


def test_a_version_with_other_bytes_than_the_checkpoint_is_refused_although_it_is_signed(
    store: ArtefactStore, registered: str, tracking_uri: str, tmp_path: Path
) -> None:
    night(store, registered, 0.4)
    client = MlflowClient(tracking_uri, tracking_uri)
    version = client.get_model_version_by_alias(registered, "champion").version
    registry = ModelRegistry(client, NullRun(), registered)
    with pytest.raises(DataError, match=r"config\.json of version 1"):
        registry.require_sound(version, {"config.json": "0" * 64}, tmp_path)


def test_the_last_byte_of_a_large_file_counts(signed: Path) -> None:
    (signed / "large").write_bytes(np.zeros(3_000_000, np.uint8).tobytes())
    (signed / SIGNATURE).write_bytes(sign(folder_digests(signed), "model", signing_key()))
    require_signed(signed)
    with (signed / "large").open("r+b") as file:
        file.seek(2_999_999)
        file.write(b"\x01")
    with pytest.raises(DataError, match="large of"):
        require_signed(signed)
