"""What the project adds to Airflow: a process reads this file when it starts."""

from airflow.plugins_manager import AirflowPlugin

from flightline import notes, notices, run_metrics
from flightline.timetable import BoundedCron
from flightline.ui import menu


class FlightlinePlugin(AirflowPlugin):
    """The project's own parts of Airflow."""

    name = "flightline"
    timetables = (BoundedCron,)
    listeners = (notes, notices, run_metrics)
    external_views = menu.VIEWS
    fastapi_apps = ({"app": menu.app, "url_prefix": menu.PREFIX, "name": "Flightline"},)
