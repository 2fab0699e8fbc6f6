"""Stage `collect`: walks through buildings in a simulator, recorded as a dataset."""
