"""What runs once in a cluster before the platform does: migrations, the bucket, generated secrets."""
