"""Where an artefact comes from, down to the seeds of its episodes, and what came of it, up to the verdicts."""
