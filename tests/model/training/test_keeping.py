"""A state in shares: dealt evenly, read whole, kept beside the steps; and what goes wrong is told on every rank."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.errors import BacksightError, DataError
from model.training.keeping import FolderVault, Keeper, Kept
from model.training.ranks import World, joined
from model.training.shares import deal, read_state, share_name, write_share


@given(st.dictionaries(st.text(min_size=1), st.integers(0, 1000)), st.integers(1, 8))
def test_every_tensor_is_dealt_to_one_rank_and_no_rank_gets_much_more_than_its_part(
    sizes: dict[str, int], ranks: int
) -> None:
    dealt = deal(sizes, ranks)
    assert dealt.keys() == sizes.keys() and set(dealt.values()) <= set(range(ranks))
    held = [sum(size for name, size in sizes.items() if dealt[name] == rank) for rank in range(ranks)]
    # The last tensor of the fullest rank went to the emptiest, which held the mean of the others at most.
    assert max(held) <= sum(sizes.values()) / ranks + max(sizes.values(), default=0)
    assert dealt == deal(dict(reversed(sizes.items())), ranks)


def shares(folder: Path, step: int, ranks: int) -> tuple[Path, ...]:
    """Shares of one tensor a rank."""
    paths = tuple(folder / share_name(step, rank, ranks) for rank in range(ranks))
    for rank, path in enumerate(paths):
        write_share(path, {f"weight/{rank}": torch.full((2,), float(rank))}, ranks, {"history": "so far"})
    return paths


def test_a_state_is_read_whole_from_its_shares(tmp_path: Path) -> None:
    state = read_state(shares(tmp_path, 4, 3))
    assert sorted(state) == ["weight/0", "weight/1", "weight/2"] and len(state) == 3
    assert state["weight/2"].tolist() == [2.0, 2.0] and state.said["history"] == "so far"
    with pytest.raises(KeyError):
        state["weight/3"]


def test_a_share_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    paths = shares(tmp_path, 4, 2)
    with pytest.raises(DataError, match=r"is in 2 shares, but there is step-00000004-share-00001-of-00002\.saf"):
        read_state(paths[1:])
    paths[0].write_bytes(paths[0].read_bytes()[:20])
    with pytest.raises(DataError, match=r"share-00000-of-00002\.safetensors is damaged"):
        read_state(paths)


def test_a_folder_goes_back_to_the_newest_state_that_is_whole(tmp_path: Path) -> None:
    vault = FolderVault(tmp_path / "vault")
    assert vault.newest() == ()
    for step in (2, 4):
        for share in shares(tmp_path, step, 2):
            vault.put(share)
    vault.put(shares(tmp_path, 6, 2)[1])
    assert [path.name[:13] for path in vault.newest()] == ["step-00000004"] * 2
    vault.put(shares(tmp_path, 6, 2)[0])
    assert [path.name[:13] for path in vault.newest()] == ["step-00000006"] * 2
    assert len(list(vault.folder.iterdir())) == 4


class SlowVault(FolderVault):
    """Takes nothing before it is let to."""

    let = Event()

    def put(self, share: Path) -> str:
        assert self.let.wait(30)
        return super().put(share)


def test_keeping_does_not_wait_for_the_vault(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, World(), SlowVault(tmp_path / "vault"))
    with joined(World(), torch.device("cpu")):
        keeper.begin(3, {"done": torch.tensor(3)}, {})
        assert keeper.step == 3 and not keeper.ready
        SlowVault.let.set()
        assert keeper.collect() == Kept(3, (share_name(3, 0, 1),))
    assert keeper.step is None and not keeper.ready
    keeper.close()


class FullVault(FolderVault):
    """Has no room."""

    def put(self, share: Path) -> str:
        raise BacksightError("The store has no room left: make some.")


def test_what_the_vault_says_ends_the_training(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, World(), FullVault(tmp_path / "vault"))
    with joined(World(), torch.device("cpu")), pytest.raises(BacksightError, match="no room left"):
        keeper.begin(3, {"done": torch.tensor(3)}, {})
        keeper.collect()
    keeper.close()
