"""Instructions and questions as token ids: a byte-level BPE trained on the data, or the language model's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

from model.errors import DataError

if TYPE_CHECKING:
    import tokenizers

    from model.batch import Text

PAD = "<pad>"


class Tokenizer:
    """Text to ids; byte-level, so that every text can be said."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids = lru_cache(maxsize=1 << 16)(lambda text: tuple(tokenizer.encode(text).ids))

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> Self:
        """At most `size` tokens (at least the 256 bytes and the padding, which is id 0) fitted to the texts."""
        import tokenizers
        from tokenizers import decoders, models, pre_tokenizers, trainers

        tokenizer = tokenizers.Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            special_tokens=[PAD],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        # Sorted and without repeats: the outcome follows from the set of texts, not from the order of the walks.
        tokenizer.train_from_iterator(sorted(set(texts)), trainer)
        return cls(tokenizer)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The tokenizer in a `tokenizer.json`, or in a folder that holds one. Raises `DataError` for another file."""
        import tokenizers

        file = path / "tokenizer.json" if path.is_dir() else path
        try:
            return cls(tokenizers.Tokenizer.from_file(str(file)))
        except Exception as error:  # the library raises bare Exception, also for a missing file
            raise DataError(f"{file} is no tokenizer: {error}; name a folder or file with a tokenizer.json.") from error

    def write(self, path: Path) -> None:
        """Write a `tokenizer.json`."""
        path.write_text(self._tokenizer.to_str())

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size()

    def count(self, text: str) -> int:
        """Tokens of a text, uncut."""
        return len(self._ids(text))

    def encode(self, texts: Sequence[str], longest: int) -> Text:
        """Ids and mask of the texts, padded on the right to the longest of them; what passes `longest` is cut.

        An empty text still gets one token, so that no row is all padding.
        """
        import torch

        from model.batch import Text

        rows = [self._ids(text)[:longest] or self._ids(" ") for text in texts]
        ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
        mask = torch.zeros(ids.shape, dtype=torch.bool)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.tensor(row)
            mask[number, : len(row)] = True
        return Text(ids, mask)
