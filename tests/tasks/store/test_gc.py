"""What is reachable is never deleted, what is not goes after its age, and a publication meanwhile is safe."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.cli import invoke
from tasks.errors import BacksightError, UsageError
from tasks.lineage.registry import registered_checkpoints
from tasks.spec import ManifestId
from tasks.store import ArtefactStore, Manifest, sweep
from tasks.store.blobs import blob_of, key
from tasks.store.bucket import Listed
from tasks.store.gc import Reason, Snapshot, age, doomed
from tasks.store.leftovers import File, abandoned, cached_blobs, evicted
from tasks.store.manifests import path
from tests.many_nights import Nights
from tests.rclone_server import RcloneServer

WEEK = timedelta(days=7)
LONG_AGO = time.time() - 30 * 24 * 3600
CUTOFF = datetime(2026, 11, 1, tzinfo=UTC)


def name(number: int) -> ManifestId:
    return f"thing/{number:064x}"


@st.composite
def stores(draw: st.DrawFn) -> tuple[Snapshot, dict[str, set[str]]]:
    """Random artefacts that name earlier ones and blobs; refs to some; some young. Also what each of them names."""
    count = draw(st.integers(0, 12))
    blobs = [f"{1000 + b:064x}" for b in range(draw(st.integers(0, 6)))]
    names: dict[str, set[str]] = {}
    for number in range(count):
        earlier = draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set()
        held = draw(st.sets(st.sampled_from(blobs), max_size=3)) if blobs else set()
        names[name(number)] = {name(e) for e in earlier} | held
    made = (
        {id: {draw(st.sampled_from(sorted(names)))} for id in draw(st.sets(st.sampled_from(sorted(names)))) if names}
        if names
        else {}
    )
    everything = [
        *map(path, names),
        *(f"blobs/sha256/{b[:2]}/{b}" for b in blobs),
        "refs/stage/a",
        "refs/odd/b",
        "odd/c",
    ]
    objects = {k: Listed(k, 1, "", CUTOFF + timedelta(days=1 if draw(st.booleans()) else -1)) for k in everything}
    roots = draw(st.sets(st.sampled_from(sorted(names)))) if names else set()
    return Snapshot(objects, names, frozenset(roots), frozenset(), made), names


@given(stores())
def test_nothing_reachable_ever_goes_and_nothing_else_old_stays(drawn: tuple[Snapshot, dict[str, set[str]]]) -> None:
    snapshot, names = drawn
    found = doomed(snapshot, CUTOFF)
    young = {key for key, item in snapshot.objects.items() if item.modified >= CUTOFF}
    kept = {id for id in names if path(id) not in found}
    assert snapshot.roots <= kept and not young & set(found)
    for id in kept:  # whatever stays has all that it names
        for named in names[id]:
            assert (path(named) if "/" in named else f"blobs/sha256/{named[:2]}/{named}") not in found
    for id in kept:  # and nothing stays without a reason
        named_by_kept = any(id in names[other] for other in kept if other != id)
        records_kept = bool(snapshot.made.get(id, set()) & kept)
        assert id in snapshot.roots or path(id) in young or named_by_kept or records_kept
    assert "refs/odd/b" not in found and "odd/c" not in found
    assert ("refs/stage/a" in found) == ("refs/stage/a" not in young)


@pytest.fixture
def nights(store: ArtefactStore, s3_server: RcloneServer) -> Nights:
    """Three nights of a month ago, and beside them what a failed night has left."""
    made = Nights(s3_server.data / store.settings.bucket)
    for night in range(3):
        made.add(night)
    lost = made.publish(Manifest(kind="checkpoint", blobs={"w": made.blob(b"lost weights")}, meta={"phase": "joint"}))
    made.write("refs/stage/failed", lost.encode())
    made.write("quarantine/bad.json", b"{}")
    for file in made.folder.rglob("*"):
        if file.is_file():
            os.utime(file, (LONG_AGO, LONG_AGO))
    return made


def nothing() -> set[ManifestId]:
    return set()


def by_reason(found: dict[str, Reason]) -> dict[Reason, int]:
    return {reason: sum(why is reason for why in found.values()) for reason in set(found.values())}


def test_a_plan_changes_nothing_and_apply_does_what_it_says(store: ArtefactStore, nights: Nights) -> None:
    before = store.bucket.names("")
    planned = sweep.plan(store, nothing, WEEK)
    assert store.bucket.names("") == before
    removed = sweep.apply(store, nothing, WEEK)
    assert set(removed.found) == set(planned.found) and removed.spared == 0
    assert set(before) - set(store.bucket.names("")) == set(planned.found)
    assert by_reason(dict(planned.found)) == {
        Reason.CACHE: 27,
        Reason.MANIFEST: 1,
        Reason.BLOB: 1,
        Reason.QUARANTINE: 1,
    }
    for id in (*nights.verdicts, *nights.checkpoints, *nights.datasets, *nights.evaluations, str(nights.head)):
        assert store.complete(id)
    assert not sweep.plan(store, nothing, WEEK).found


def test_what_the_registry_holds_stays(store: ArtefactStore, nights: Nights) -> None:
    lost = next(id for id in store.index().ids() if id.startswith("checkpoint/") and not store.manifest(id).inputs)
    sweep.apply(store, lambda: {lost}, WEEK)
    assert store.complete(lost)


def test_a_silent_registry_removes_nothing(
    store: ArtefactStore, nights: Nights, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = store.bucket.names("")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(BacksightError, match="nobody knows what it holds"):
        sweep.apply(store, registered_checkpoints, WEEK)
    assert invoke(["gc", "--apply"]) == 1
    assert store.bucket.names("") == before and capsys.readouterr().err.count("\n") == 1


def test_what_is_published_between_the_looks_is_safe(store: ArtefactStore, nights: Nights) -> None:
    """Somebody publishes an artefact whose blob was doomed, after the plan was made: the blob is put again first."""
    blob = blob_of(b"lost weights")
    published: list[ManifestId] = []

    def publish_meanwhile() -> set[ManifestId]:
        if not published and store.bucket.names("refs/stage/") == []:  # the first deletions are done
            published.append(store.publish(Manifest(kind="checkpoint", blobs={"w": store.put_blob(b"lost weights")})))
        return set()

    assert key(blob) in sweep.plan(store, nothing, WEEK).found
    sweep.apply(store, publish_meanwhile, WEEK)
    assert published and store.complete(published[0])


def test_a_blob_put_again_before_its_turn_is_spared(store: ArtefactStore, nights: Nights) -> None:
    cutoff = sweep.clock(store.bucket) - WEEK
    seen = sweep.look(store, nothing, cutoff)
    found = doomed(seen, cutoff)
    store.put_blob(b"lost weights")
    removed = sweep.delete(store.bucket, found, seen.objects)
    assert set(found) - set(removed) == {key(blob_of(b"lost weights"))}


def test_a_cached_result_that_is_used_lives_on(store: ArtefactStore, nights: Nights) -> None:
    target = store.ref("stage", "failed")
    assert target is not None
    store.keep_ref("stage", "failed", target)
    found = sweep.plan(store, nothing, WEEK).found
    assert "refs/stage/failed" not in found and path(target) not in found


def test_everything_young_stays(store: ArtefactStore) -> None:
    store.publish(Manifest(kind="checkpoint", blobs={"w": store.put_blob(b"weights")}))
    store.put_blob(b"not yet published")
    assert not sweep.plan(store, nothing, timedelta(days=1)).found


@pytest.mark.parametrize("text", ["7", "", "d7", "-3d", "7 years", "3h", "0d"])
def test_what_is_no_age_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="--older-than"):
        age(text)


def test_the_command(store: ArtefactStore, nights: Nights, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["gc"]) == 2 and invoke(["gc", "--plan", "--apply"]) == 2
    assert invoke(["gc", "--plan", "--older-than"]) == 2 and invoke(["gc", "--apply", "--cache", "big"]) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 4 and told.out == ""
    scratch = home / "scratch" / "collect-x"
    scratch.mkdir(parents=True)
    os.utime(scratch, (LONG_AGO, LONG_AGO))
    assert invoke(["gc", "--apply"]) == 0
    assert "removed: 31 " in capsys.readouterr().out
    assert not scratch.exists()
    assert invoke(["gc", "--plan", "--json"]) == 0
    assert '"objects": []' in capsys.readouterr().out


def test_leftovers_of_crashes_go_after_their_age(home: Path) -> None:
    for file in ("s3/backsight/blobs/.rclone_temp_x", "cache/sha256/ab/.partial-y", "scratch/joint-z/file"):
        (home / file).parent.mkdir(parents=True, exist_ok=True)
        (home / file).write_bytes(b"12345")
    (home / "s3/backsight/blobs/whole").write_bytes(b"12345")
    assert abandoned(home, time.time() - 60) == []
    found = abandoned(home, time.time() + 60)
    assert {file.path.name for file in found} == {".partial-y", ".rclone_temp_x", "joint-z"}


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10)), max_size=12), st.integers(0, 300))
def test_the_cache_keeps_what_was_used_last(drawn: list[tuple[int, int]], bound: int) -> None:
    day, now = 24 * 3600.0, 100 * 24 * 3600.0
    files = [File(Path(str(i)), size, now - days * day - 1) for i, (size, days) in enumerate(drawn)]
    gone = evicted(files, bound, now)
    stay = [file for file in files if file not in gone]
    assert all(now - file.used >= day for file in gone)
    assert not gone or not stay or max(f.used for f in gone) <= min(f.used for f in stay)
    assert sum(f.size for f in stay) <= bound or all(now - f.used < day for f in stay)
    assert not gone or sum(f.size for f in stay) + gone[-1].size > bound


def test_a_fetch_counts_as_use(store: ArtefactStore, home: Path) -> None:
    cached = store.fetch(store.put_blob(b"bytes"))
    os.utime(cached, (LONG_AGO, LONG_AGO))
    store.fetch(blob_of(b"bytes"))
    (file,) = cached_blobs(home)
    assert file.path == cached and time.time() - file.used < 3600
