"""`backsight gc`: remove what nothing names any more, from the store and from this machine's disk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tasks.errors import UsageError

if TYPE_CHECKING:
    from tasks.store.bucket import Listed
    from tasks.store.gc import Reason
    from tasks.store.leftovers import File


@click.command()
@click.option("--plan", is_flag=True, help="Say what would go; change nothing.")
@click.option("--apply", "do_it", is_flag=True, help="Remove it.")
@click.option("--older-than", default="7d", show_default=True, metavar="AGE", help="Younger things stay: 7d, 36h, 2w.")
@click.option(
    "--cache", default="20G", show_default=True, metavar="SIZE", help="Bound on this machine's copies of blobs."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with every key.")
def gc(plan: bool, do_it: bool, older_than: str, cache: str, as_json: bool) -> None:
    """Remove from the store what no ref, ledger, registry or recent stage names, and bound this machine's cache."""
    if plan == do_it:
        raise UsageError("Say one of the two: `backsight gc --plan` to see what would go, `--apply` to remove it.")
    from tasks.lineage.registry import registered_checkpoints
    from tasks.settings import home
    from tasks.store import open_store, sweep
    from tasks.store.gc import age
    from tasks.store.leftovers import abandoned, cached_blobs, evicted, remove, size_of

    least, bound, now = age(older_than), size_of(cache), time.time()
    store = open_store()
    if plan:
        planned = sweep.plan(store, registered_checkpoints, least)
        found, objects, spared = planned.found, planned.objects, 0
    else:
        removed = sweep.apply(store, registered_checkpoints, least)
        found, objects, spared = removed.found, removed.objects, removed.spared
    local = [*abandoned(home(), now - least.total_seconds()), *evicted(cached_blobs(home()), bound, now)]
    if do_it:
        remove(local)
    seconds = time.time() - now
    if as_json:
        click.echo(json.dumps(told(found, objects, spared, local, do_it, seconds)))
    else:
        show(found, objects, spared, local, do_it, older_than, seconds)


def show(
    found: Mapping[str, Reason],
    objects: Mapping[str, Listed],
    spared: int,
    local: list[File],
    done: bool,
    older_than: str,
    seconds: float,
) -> None:
    """A line a reason, with counts and bytes."""
    from tasks.store.gc import summary

    verb = "removed" if done else "would go"
    for reason, count, size in summary(found, objects):
        click.echo(f"{count:7d}  {megabytes(size):>10}  {reason.value}")
    if local:
        click.echo(
            f"{len(local):7d}  {megabytes(sum(f.size for f in local)):>10}  on this disk: cache, scratch, temporary"
        )
    if spared:
        click.echo(f"{spared:7d}  were named or written anew meanwhile and stay")
    kept = len(objects) - len(found)
    total = megabytes(sum(objects[key].size for key in found) + sum(f.size for f in local))
    click.echo(f"{verb}: {len(found) + len(local)} ({total}), older than {older_than}; kept: {kept}; {seconds:.1f} s")


def told(
    found: Mapping[str, Reason],
    objects: Mapping[str, Listed],
    spared: int,
    local: list[File],
    done: bool,
    seconds: float,
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "applied": done,
        "objects": [{"key": key, "bytes": objects[key].size, "why": why.value} for key, why in sorted(found.items())],
        "local": [{"path": str(file.path), "bytes": file.size} for file in local],
        "kept": len(objects) - len(found),
        "spared": spared,
        "seconds": round(seconds, 3),
    }


def megabytes(size: int) -> str:
    """`12.3 MB`."""
    return f"{size / 1e6:.1f} MB"
