"""Spark: the days are divided among executors, which run the same work, and Spark's Iceberg writer commits its rows."""

from include.engine.spark.member import Spark

__all__ = ["Spark"]
