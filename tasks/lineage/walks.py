"""The episodes of datasets, each `index.parquet` read once and then kept in the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.errors import DataError
from tasks.store import ArtefactStore, Blob, Manifest
from tasks.store.index import ManifestIndex, Walk

if TYPE_CHECKING:
    from tasks.spec import ManifestId

COLUMNS = ["episode", "scene", "split", "stratum", "shard"]


def read_walks(store: ArtefactStore, index: ManifestIndex, blob: Blob) -> list[Walk]:
    """The episodes of one `index.parquet`."""
    if blob.digest not in index.walks_read():
        index.add_walks(blob.digest, walks_of(store, blob))
    return index.walks(blob.digest)


def read_all_walks(store: ArtefactStore, index: ManifestIndex) -> dict[ManifestId, Manifest]:
    """Read the episodes of every dataset that were not read before; all datasets."""
    datasets = {id: manifest for id in index.beginning("dataset/") if (manifest := index.manifest(id)) is not None}
    read = index.walks_read()
    for manifest in datasets.values():
        blob = manifest.blobs.get("index.parquet")
        if blob is not None and blob.digest not in read:
            index.add_walks(blob.digest, walks_of(store, blob))
            read.add(blob.digest)
    return datasets


def walks_of(store: ArtefactStore, blob: Blob) -> list[Walk]:
    """One walk an episode, from the rows a frame."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(store.read(blob)), columns=COLUMNS)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"The episode index {blob.digest[:12]} cannot be read as Parquet ({error}): collect again."
        ) from error
    rows = zip(*(table.column(name).to_pylist() for name in COLUMNS), strict=True)
    return [Walk(*row) for row in sorted(set(rows))]
