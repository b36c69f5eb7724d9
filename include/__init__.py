"""Everything that does not know Airflow: runs and is tested with plain Python, and goes into the pod images."""
