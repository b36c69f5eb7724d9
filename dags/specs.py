"""No Dag: the import error that Airflow's UI shows when the spec of a use case is malformed. The others' Dags stay."""

from include.foundation.errors import InvalidInput
from include.foundation.spec import faults

if found := faults():
    raise InvalidInput("\n".join(found.values()))
