"""The artefact store: immutable blobs and manifests, small mutable refs, on any S3 server."""

from tasks.store.artefacts import ArtefactStore, open_store
from tasks.store.blobs import Blob
from tasks.store.manifests import Manifest
from tasks.store.refs import ANY, AnyValue, RefConflict

__all__ = ["ANY", "AnyValue", "ArtefactStore", "Blob", "Manifest", "RefConflict", "open_store"]
