"""Upkeep of the lake's tables beside running writers: merge small files, expire old snapshots, delete orphans."""
