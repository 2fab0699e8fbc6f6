"""The error sentences of the whole house, for those above `model` who may not import it."""

from model.errors import BacksightError, DataError, UsageError

__all__ = ["BacksightError", "DataError", "UsageError"]
