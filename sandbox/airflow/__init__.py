"""Airflow for the sandbox: its configuration, its set-up, its scheduler, and a small client of its API."""
