"""Seeing what was collected: one episode as a Rerun recording and as a contact sheet, one building as a plan."""
