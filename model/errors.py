"""The errors that a person may see: each message is a sentence saying what is wrong, where, and what to do."""

from __future__ import annotations


class BacksightError(Exception):
    """A failure with a known cause. Commands print its message alone and leave with `exit_code`."""

    exit_code = 1


class UsageError(BacksightError):
    """The caller asked for something that cannot be: a bad option, key, number or name."""

    exit_code = 2


class DataError(BacksightError):
    """What was read is not what it should be: a truncated shard, a wrong digest, a foreign checkpoint."""
