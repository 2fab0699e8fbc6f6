"""Signatures of model files in the format of OpenSSF Model Signing v1.0: checked wherever a model is loaded.

A signature is a Sigstore bundle with a DSSE envelope around an in-toto statement that lists every file's SHA-256,
signed with ECDSA on P-256 by a local key (https://github.com/sigstore/model-transparency; DSSE:
https://github.com/secure-systems-lab/dsse). `model_signing verify key` accepts what is written here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import DataError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

SIGNATURE = "model.sig"
"""File of the signature, beside what it signs."""

UNSIGNED = (SIGNATURE, "registered_model_meta", "__pycache__")
"""What lies beside signed files and is no part of them: MLflow and Python write the latter two on load."""

KEY_VARIABLE = "BACKSIGHT_PUBLIC_KEY"

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"

PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----\n?", re.DOTALL)
CHUNK = 1 << 20

Digests = Mapping[str, str]
"""File name (POSIX, relative) -> hexadecimal SHA-256."""


def trusted_keys() -> Path:
    """The file of public keys that this machine trusts: `$BACKSIGHT_PUBLIC_KEY`, or `keys/model.pub` in its home."""
    if named := os.environ.get(KEY_VARIABLE):
        return Path(named)
    return Path(os.environ.get("BACKSIGHT_HOME") or Path.cwd() / ".backsight") / "keys" / "model.pub"


def folder_digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file under a folder, but for what is no part of it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part in UNSIGNED for part in name.parts):
            found[name.as_posix()] = file_digest(path)
    return found


def file_digest(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sign(digests: Digests, name: str, key: EllipticCurvePrivateKey) -> bytes:
    """The bundle that vouches for these files, which together are called `name`."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    payload = json.dumps(statement(digests, name), sort_keys=True).encode()
    signed = key.sign(authenticated(payload), ec.ECDSA(hashes.SHA256()))
    bundle = {
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": {"publicKey": {"hint": fingerprint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": base64.b64encode(signed).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle, indent=1).encode()


def statement(digests: Digests, name: str) -> dict[str, Any]:
    """The in-toto statement on some files."""
    resources = [{"name": n, "algorithm": "sha256", "digest": d} for n, d in sorted(digests.items())]
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": joint_digest(resources)}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": list(UNSIGNED),
            },
            "resources": resources,
        },
    }


def joint_digest(resources: list[dict[str, str]]) -> str:
    """SHA-256 over all files' digests in order."""
    return hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in resources)).hexdigest()


def authenticated(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    return b" ".join(
        [b"DSSEv1", str(len(PAYLOAD_TYPE)).encode(), PAYLOAD_TYPE.encode(), str(len(payload)).encode(), payload]
    )


def fingerprint(key: EllipticCurvePublicKey) -> str:
    """How a bundle names the key that it is to be checked with."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def signed_digests(bundle: bytes, keys: Path, what: str) -> dict[str, str]:
    """The files that a bundle vouches for, once its signature is found good.

    Raises `DataError` where it is not by a key in the file `keys`, or is no such bundle; `UsageError` without keys.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    trusted = read_keys(keys)
    try:
        held = json.loads(bundle)
        envelope = held["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        hint = held["verificationMaterial"]["publicKey"]["hint"]
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True)
        if (held["mediaType"], envelope["payloadType"]) != (MEDIA_TYPE, PAYLOAD_TYPE):
            raise KeyError("mediaType")
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"The signature of {what} is damaged: {REMEDY}.") from error
    if hint not in trusted:
        raise DataError(
            f"{what} is signed by the key {str(hint)[:12]}, which is not among those trusted here ({keys}): add its "
            "public key to that file if you know whose it is."
        )
    try:
        trusted[hint].verify(signature, authenticated(payload), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise DataError(
            f"The signature of {what} does not fit what it signs: somebody changed it; {REMEDY}."
        ) from error
    said = json.loads(payload)
    resources = said["predicate"]["resources"]
    if said["predicateType"] != PREDICATE_TYPE or joint_digest(resources) != said["subject"][0]["digest"]["sha256"]:
        raise DataError(f"The signature of {what} contradicts itself: {REMEDY}.")
    return {resource["name"]: resource["digest"] for resource in resources}


REMEDY = "register the model again from the artefact store"


def read_keys(path: Path) -> dict[str, EllipticCurvePublicKey]:
    """Fingerprint -> key of all public keys in a PEM file; a `UsageError` where there is none."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not path.is_file():
        raise UsageError(
            f"No public key is known, so the model's signature cannot be checked: name the file of keys that you trust "
            f"in {KEY_VARIABLE}, or copy it to {path}."
        )
    try:
        keys = [load_pem_public_key(pem) for pem in PEM.findall(path.read_bytes())]
    except ValueError as error:
        raise UsageError(f"{path} holds no public keys in PEM form: name another file in {KEY_VARIABLE}.") from error
    usable = [key for key in keys if isinstance(key, EllipticCurvePublicKey)]
    if not usable:
        raise UsageError(f"{path} holds no public key on an elliptic curve: name another file in {KEY_VARIABLE}.")
    return {fingerprint(key): key for key in usable}


def require_signed(folder: Path, keys: Path | None = None) -> None:
    """Refuse a folder unless every file in it, and no other, is vouched for by its `model.sig`.

    Raises `DataError` with the reason: no signature, a foreign key, a file changed, missing or added.
    """
    path = folder / SIGNATURE
    if not path.is_file():
        raise DataError(f"The model in {folder} is not signed: {REMEDY}.")
    signed = signed_digests(path.read_bytes(), keys or trusted_keys(), f"the model in {folder}")
    require_equal(signed, folder_digests(folder), f"the model in {folder}")


def require_equal(signed: Digests, found: Digests, what: str) -> None:
    """Refuse files that are not the signed ones, naming the first that differs."""
    for name in sorted(set(signed) | set(found)):
        if name not in found:
            raise DataError(f"{name} of {what} is missing, but it was signed: {REMEDY}.")
        if name not in signed:
            raise DataError(f"{name} of {what} was added after it was signed: {REMEDY}.")
        if signed[name] != found[name]:
            raise DataError(f"{name} of {what} was changed after it was signed: {REMEDY}.")
