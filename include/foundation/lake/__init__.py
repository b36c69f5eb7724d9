"""The lake: Iceberg tables partitioned by `event_date`, and plain S3 objects.

Importing this package is cheap; pyiceberg, polars and boto3 are imported where they are first needed, so that serving
can use `objects` without them.
"""

from include.foundation.lake.connection import Lake
from include.foundation.lake.objects import S3, Object, Objects

__all__ = ["S3", "Lake", "Object", "Objects"]
