"""`backsight gc`: remove what nothing names any more, from the store and from this machine's disk."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
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
    swept = Swept(found, objects, spared, local, do_it, older_than, time.time() - now)
    if as_json:
        click.echo(json.dumps(told(swept)))
    else:
        show(swept)


@dataclass(frozen=True)
class Swept:
    """What gc found, and what it did."""

    found: Mapping[str, Reason]
    """Key in the store -> why it goes."""
    objects: Mapping[str, Listed]
    """All that the store holds."""
    spared: int
    """Named or written anew while gc ran."""
    local: list[File]
    """What goes from this machine's disk."""
    applied: bool
    older_than: str
    seconds: float

    @property
    def kept(self) -> int:
        """Objects that stay."""
        return len(self.objects) - len(self.found)


def show(swept: Swept) -> None:
    """A line a reason, with counts and bytes."""
    from tasks.store.gc import summary

    for reason, count, size in summary(swept.found, swept.objects):
        click.echo(f"{count:7d}  {megabytes(size):>10}  {reason.value}")
    local = sum(file.size for file in swept.local)
    if swept.local:
        click.echo(f"{len(swept.local):7d}  {megabytes(local):>10}  on this disk: cache, scratch, temporary")
    if swept.spared:
        click.echo(f"{swept.spared:7d}  were named or written anew meanwhile and stay")
    total = megabytes(sum(swept.objects[key].size for key in swept.found) + local)
    click.echo(
        f"{'removed' if swept.applied else 'would go'}: {len(swept.found) + len(swept.local)} ({total}), older than "
        f"{swept.older_than}; kept: {swept.kept}; {swept.seconds:.1f} s"
    )


def told(swept: Swept) -> dict[str, Any]:
    """The same for programs."""
    found, objects = sorted(swept.found.items()), swept.objects
    return {
        "applied": swept.applied,
        "objects": [{"key": key, "bytes": objects[key].size, "why": why.value} for key, why in found],
        "local": [{"path": str(file.path), "bytes": file.size} for file in swept.local],
        "kept": swept.kept,
        "spared": swept.spared,
        "seconds": round(swept.seconds, 3),
    }


def megabytes(size: int) -> str:
    """`12.3 MB`."""
    return f"{size / 1e6:.1f} MB"
