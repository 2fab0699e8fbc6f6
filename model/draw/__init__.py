"""Pictures for people: memories over the current view, training curves, the plan of a scene with the walk."""

from model.draw.curve import training_curve
from model.draw.overlay import overlay
from model.draw.plan import scene_plan
from model.draw.sheet import ViewPicture, memory_sheet

__all__ = ["ViewPicture", "memory_sheet", "overlay", "scene_plan", "training_curve"]
