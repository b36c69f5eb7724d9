"""What Airflow must be told of: it reads this file when a process starts."""

from airflow.plugins_manager import AirflowPlugin

from flightline.timetable import BoundedCron


class FlightlinePlugin(AirflowPlugin):
    """The project's own parts of Airflow."""

    name = "flightline"
    timetables = (BoundedCron,)
