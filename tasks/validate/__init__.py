"""Checks collected data: bad episodes never train, and a bad dataset is refused with its reasons."""
