"""The signing key of this machine, and the signatures of checkpoints in the store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from model import signature
from tasks.errors import DataError, UsageError
from tasks.promote.registry import SERVED
from tasks.settings import home
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KIND = "signature"
KEY_VARIABLE = "BACKSIGHT_SIGNING_KEY"


def key_path() -> Path:
    """The private key: `$BACKSIGHT_SIGNING_KEY` (a secret that is mounted), or `keys/model.key` in the home folder."""
    named = os.environ.get(KEY_VARIABLE)
    return Path(named) if named else home() / "keys" / "model.key"


def signing_key() -> EllipticCurvePrivateKey:
    """The key of this machine; made at the first call, with mode 600, its public half beside it.

    Raises `UsageError` for a file that is no such key, or a named one that is not there.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    path = key_path()
    if not path.is_file():
        if os.environ.get(KEY_VARIABLE):
            raise UsageError(f"{KEY_VARIABLE} names {path}, where there is no key: mount it, or unset the variable.")
        make_key(path)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"{path} is no private key in PEM form without a password: put the right one there."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise UsageError(f"{path} is no key on the curve P-256: put the right one there.")
    return key


def make_key(path: Path) -> None:
    """A new key. Of two processes that make one at once the first is kept; a crash leaves no half of one."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600, exist_ok=False)
    with fresh.open("wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        return
    finally:
        fresh.unlink()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # Others' keys that a person has put there stay trusted.
    with path.with_suffix(".pub").open("ab") as trusted:
        trusted.write(public)


def checkpoint_digests(store: ArtefactStore, checkpoint: ManifestId) -> dict[str, str]:
    """The SHA-256 of the files that a prediction needs, as the checkpoint's manifest has them."""
    blobs = store.manifest(checkpoint).blobs
    if missing := [name for name in SERVED if name not in blobs]:
        raise DataError(f"{checkpoint} has no {missing[0]}, so it cannot be served: train it again.")
    return {name: blobs[name].digest for name in SERVED}


def sign_checkpoint(store: ArtefactStore, checkpoint: ManifestId) -> None:
    """Vouch for a checkpoint in the store, once."""
    name = checkpoint.partition("/")[2]
    if store.ref(KIND, name) is not None:
        return
    bundle = signature.sign(checkpoint_digests(store, checkpoint), checkpoint, signing_key())
    blob = store.put_blob(bundle)
    signed = Manifest(kind=KIND, blobs={signature.SIGNATURE: blob}, inputs={"checkpoint": checkpoint})
    store.set_ref(KIND, name, store.publish(signed))


def signature_of(store: ArtefactStore, checkpoint: ManifestId) -> ManifestId | None:
    """The signature of a checkpoint of the store."""
    return store.ref(KIND, checkpoint.partition("/")[2])


def require_signature(store: ArtefactStore, checkpoint: ManifestId) -> None:
    """Refuse a checkpoint of the store that nobody trusted has signed; a `DataError` gives the reason."""
    id = signature_of(store, checkpoint)
    if id is None:
        raise DataError(
            f"{checkpoint} is not signed: its signature is gone, or the gate never judged it; run `backsight run "
            "promote`."
        )
    bundle = store.read(store.manifest(id).blobs[signature.SIGNATURE])
    signed = signature.signed_digests(bundle, signature.trusted_keys(), checkpoint)
    signature.require_equal(signed, checkpoint_digests(store, checkpoint), checkpoint)


def trusted_champion(store: ArtefactStore, registered: str) -> ManifestId | None:
    """The champion's checkpoint, with the ledger's whole chain and the signature found good; None before the first.

    Raises `DataError` for a broken chain and for a champion that is not signed by a trusted key.
    """
    from tasks.promote.ledger import Ledger

    entries = [written.entry for written in Ledger(store, registered).entries()]
    champion = entries[0].champion if entries else None
    if champion is not None:
        require_signature(store, champion)
    return champion
