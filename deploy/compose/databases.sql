-- The databases beside Airflow's own.
CREATE DATABASE mlflow;
CREATE DATABASE tuning;
CREATE DATABASE online;
