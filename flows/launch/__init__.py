"""Launchers: one contract for running a stage's task, whatever it runs on."""

from flows.launch.contract import Cause, Ending, Handle, Job, JobState, Launcher, LogLine, Notice, Progress, Report

__all__ = ["Cause", "Ending", "Handle", "Job", "JobState", "Launcher", "LogLine", "Notice", "Progress", "Report"]
