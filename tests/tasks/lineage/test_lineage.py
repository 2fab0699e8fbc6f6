"""Any artefact leads back to the seeds of its episodes and forward to the verdicts; what is not there is told."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from flows.cli import invoke
from tasks.collect.seeds import seed_of
from tasks.errors import DataError, UsageError
from tasks.lineage.graph import Lineage, depths, reach, tree
from tasks.lineage.names import lineage_of
from tasks.lineage.picture import draw
from tasks.lineage.text import as_json, as_text
from tasks.lineage.trace import Tracer
from tasks.store import ArtefactStore, Manifest
from tasks.store.manifests import path
from tests.many_nights import EPISODES, Nights, walks
from tests.rclone_server import RcloneServer


@pytest.fixture
def nights(store: ArtefactStore, s3_server: RcloneServer) -> Nights:
    """Three nights in the test's own bucket."""
    found = Nights(s3_server.data / store.settings.bucket)
    for night in range(3):
        found.add(night)
    return found


def traced(store: ArtefactStore, name: str) -> Lineage:
    return lineage_of(Tracer(store, store.index()), name)


def test_a_verdict_leads_back_to_every_seed_that_it_rests_on(store: ArtefactStore, nights: Nights) -> None:
    found = traced(store, nights.verdicts[1])
    assert {nights.evaluations[1], nights.checkpoints[1], nights.checkpoints[0], *nights.datasets[:2]} <= set(
        found.back
    )
    assert not {nights.checkpoints[2], nights.datasets[2], nights.verdicts[0]} & set(found.back)
    assert {seed.episode for seed in found.seeds} == {f"b{n}-train-{k}" for n in (0, 1) for k in range(EPISODES)}
    one = next(seed for seed in found.seeds if seed.episode == "b1-train-2")
    assert (one.collection, one.generator) == (1, seed_of("episode", 1, "b1-train-2", 0))
    assert [id for id in found.forward if id != found.root] == [
        id
        for id in store.index().ids()
        if id.startswith("ledger/") and nights.verdicts[1] in store.manifest(id).inputs.values()
    ]


def test_every_name_of_a_thing_finds_it(store: ArtefactStore, nights: Nights) -> None:
    champion = nights.checkpoints[2]
    for name in (
        "champion",
        "backsight@champion",
        "models:/backsight@champion",
        champion,
        champion[:20],
        champion[11:21],
    ):
        assert traced(store, name).root == champion, name
    assert traced(store, "previous").root == nights.checkpoints[1]
    assert traced(store, "promote").root == nights.verdicts[2]
    assert traced(store, champion).nodes[champion].marks == ("champion",)
    assert "stage joint, seed 2" in traced(store, champion).nodes[champion].made_by


def test_a_shard_and_an_episode_lead_forward_to_the_verdicts(store: ArtefactStore, nights: Nights) -> None:
    shard = store.manifest(nights.datasets[0]).blobs["shards/001.tar"].digest
    for name in (
        shard,
        shard[:12],
        f"{nights.datasets[0]}:shards/001.tar",
        f"{nights.datasets[0][8:20]}:shards/001.tar",
    ):
        found = traced(store, name)
        assert found.root == f"shard/{shard}"
        assert [seed.episode for seed in found.seeds] == ["b0-train-1", "b0-train-3"]
        assert set(nights.verdicts[:2]) <= set(found.forward) and nights.verdicts[2] not in found.forward
    episode = traced(store, "b0-train-3")
    assert set(nights.verdicts[:2]) <= set(episode.forward)
    assert [seed.generator for seed in episode.seeds] == [seed_of("episode", 0, "b0-train-3", 0)]


def test_an_episode_that_validation_left_out_went_no_further(store: ArtefactStore, nights: Nights) -> None:
    found = store.manifest(nights.datasets[0])
    raw = store.manifest(found.inputs["raw"])
    other = store.put_blob(walks(77))
    kept = store.publish(
        Manifest(kind="dataset", blobs={**raw.blobs, "index.parquet": other}, inputs={"raw": raw.id}, meta={"seed": 77})
    )
    assert kept not in traced(store, "b0-train-0").forward
    assert kept in traced(store, raw.id).forward


def test_text_json_and_picture_tell_the_same(store: ArtefactStore, nights: Nights, tmp_path: Path) -> None:
    found = traced(store, nights.datasets[1])
    text, told = as_text(found), as_json(found)
    for id in (nights.verdicts[1], nights.checkpoints[1], nights.evaluations[1]):
        assert id[: id.index("/") + 13].replace("/", " ") in text
    assert f"seeds of {EPISODES} episodes, collection seed 1" in text
    assert set(told["nodes"]) == set(told["made_from"]) | set(told["went_into"])
    assert len(told["seeds"]) == EPISODES
    picture = np.asarray(draw(found))
    assert picture.std() > 10 and picture.shape[0] > 400


def test_the_command(store: ArtefactStore, nights: Nights, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "lineage.png"
    assert invoke(["lineage", nights.verdicts[0], "--json", "--picture", str(target)]) == 0
    assert json.loads(capsys.readouterr().out)["root"] == nights.verdicts[0]
    assert Image.open(io.BytesIO(target.read_bytes())).format == "PNG"
    assert invoke(["lineage", "b0-train-33"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "nearest are b0-train-3" in told


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("verdict/0123456789ab", "Nothing here is called verdict/0123456789ab; nearest are verdict/"),
        ("champoin", "nearest are champion"),
        ("b1_train-2", "nearest are b1-train-2"),
        ("backsight@canary", "no backsight@canary in the ledger, and no MLflow server"),
        ("7", "no version 7 of backsight"),
    ],
)
def test_what_is_not_there_is_told_with_the_nearest_names(
    store: ArtefactStore, nights: Nights, name: str, sentence: str
) -> None:
    with pytest.raises(UsageError) as told:
        traced(store, name)
    assert sentence in str(told.value) and "\n" not in str(told.value)


def test_the_index_follows_the_bucket(store: ArtefactStore, nights: Nights) -> None:
    index = store.index()
    assert index.refresh(store.bucket) == 0
    published = store.publish(Manifest(kind="probe", inputs={"of": nights.verdicts[0]}))
    assert index.refresh(store.bucket) == 0, "a publication of this machine is known without reading it again"
    assert published in traced(store, nights.verdicts[0]).forward
    store.bucket.remove(path(published))
    assert published not in store.index().ids()
    assert published not in traced(store, nights.verdicts[0]).forward
    told = store.manifest(nights.verdicts[0]).encoded()
    store.bucket.put(path(nights.verdicts[0]), told.replace(b"promote", b"prOmote"))
    with pytest.raises(DataError, match="do not have the SHA-256"):
        store.index()


def test_a_damaged_index_is_made_anew(store: ArtefactStore, nights: Nights, home: Path) -> None:
    known = store.index().ids()
    for file in (home / "cache").glob("manifests-*"):
        file.write_bytes(b"no database at all" * 999)
    assert store.index().ids() == known


graphs = st.integers(1, 9).flatmap(
    lambda n: st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30)
)


@given(graphs)
def test_a_tree_holds_each_reachable_node_once_as_deep_as_it_can_stand(pairs: list[tuple[int, int]]) -> None:
    edges: dict[str, set[str]] = {}
    for a, b in pairs:
        if a != b:
            edges.setdefault(str(min(a, b)), set()).add(str(max(a, b)))
    found = reach("0", lambda id: sorted(edges.get(id, ())))
    depth = depths("0", found)
    seen: dict[str, int] = {}

    def visit(node: object, level: int) -> None:
        assert node.id not in seen  # type: ignore[attr-defined]
        seen[node.id] = level  # type: ignore[attr-defined]
        for child in node.below:  # type: ignore[attr-defined]
            visit(child, level + 1)

    visit(tree("0", found), 0)
    assert seen == depth and set(seen) == set(found)
