"""What the cluster's manifests must be: valid against their schemas, and within the house's rules."""
