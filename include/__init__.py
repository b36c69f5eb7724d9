"""The plain Python of Flightline: runs without Airflow, in workers, pods and shells.

Importing it switches off the telemetry of the libraries below it, before any of them is imported: on a closed network
there is nobody to tell, and elsewhere nobody was asked.
"""

import os

TELEMETRY_OFF = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime's wheel reports to its maker by default, since 1.32
    "DO_NOT_TRACK": "1",  # what others agree on (https://consoledonottrack.com)
}
for _name, _value in TELEMETRY_OFF.items():
    os.environ.setdefault(_name, _value)
