"""SeaweedFS: the object store and the Iceberg catalog."""
