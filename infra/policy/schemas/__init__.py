"""Schemas of the objects that manifests hold: Kubernetes' own, derived, and those of extensions, by hand."""
