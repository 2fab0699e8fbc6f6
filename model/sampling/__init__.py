"""Keyframe samplers: which of the frames seen so far stand for all of them."""

from model.sampling.factory import SAMPLERS, KeyframeSampler, create_sampler
from model.sampling.past import Past

__all__ = ["SAMPLERS", "KeyframeSampler", "Past", "create_sampler"]
