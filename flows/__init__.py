"""Prefect's side of Backsight: what runs when, in which order, with which parameters, and the `backsight` command."""
