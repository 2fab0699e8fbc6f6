"""A trained network on a video or a recorded episode: what `backsight predict` does."""
