"""A task package for the launchers' tests."""
