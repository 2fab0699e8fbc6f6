"""What Backsight runs on: the local stack, the cluster platform, the cloud."""
