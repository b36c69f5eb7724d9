"""Pages: what the project adds to Airflow's own."""
