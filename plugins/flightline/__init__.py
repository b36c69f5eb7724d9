"""What knows Airflow and is shared by the Dags: hooks, operators, triggers, links, assets."""
