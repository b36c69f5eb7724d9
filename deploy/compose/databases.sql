-- The databases beside Airflow's own.
CREATE DATABASE lake;
CREATE DATABASE mlflow;
CREATE DATABASE tuning;
CREATE DATABASE online;
