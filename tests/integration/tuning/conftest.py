"""A tuning service with a database of its own, and what its tests ask of it."""

import math
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sigopt
from sigopt import ratelimit

from include.stages.tuning.loop import Trial, run_worker
from sandbox.supervisor.service import Service, answers, free_ports, python, running

BOX = [
    {"name": "x", "type": "double", "bounds": {"min": -5, "max": 10}},
    {"name": "y", "type": "double", "bounds": {"min": 0, "max": 15}},
]
LOSS = [{"name": "loss", "objective": "minimize"}]


class Tuning:
    """A service process, its clients, and experiments on a box with the metric `loss`."""

    box, loss, token = BOX, LOSS, "a-token-of-the-tests"

    def __init__(self, dsn: str, home: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}"
        self._log = home / f"tuning-{port}.log"
        token = home / "tuning.token"
        token.write_text(f"another\n{self.token}\n")
        words = ("--port", str(port), "--dsn", dsn, "--token-file", str(token))
        self._service = Service(
            name="tuning",
            command=(str(python("tuning")), "-m", "include.services.tuning", *words),
            ready=lambda since: answers(f"{self.url}/health", since),
        )

    @contextmanager
    def run(self) -> Iterator[subprocess.Popen[bytes]]:
        with running(self._service, log=self._log) as process:
            yield process

    def client(self, token: str = token) -> sigopt.Connection:
        client = sigopt.Connection(client_token=token)
        client.set_api_url(self.url)
        return client

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/v1", auth=(self.token, ""), timeout=60)

    def make(self, *, budget=None, seed=1, **more):
        given = {"name": "test", "parameters": BOX, "metrics": LOSS, "metadata": {"seed": seed}, **more}
        return self.client().experiments().create(observation_budget=budget, **given)

    def ask(self, experiment):
        return self.client().experiments(experiment.id).suggestions().create()

    def tell(self, experiment, suggestion, value=None):
        outcome = {"failed": True} if value is None else {"values": [{"name": "loss", "value": value}]}
        return self.client().experiments(experiment.id).observations().create(suggestion=suggestion.id, **outcome)

    def add(self, experiment, *points):
        """Observations of points by hand."""
        rows = [{"assignments": point, "values": [{"value": self.branin(point)}]} for point in points]
        self.client().experiments(experiment.id).observations().create_batch(observations=rows)

    def history(self, experiment):
        """Observations, oldest first."""
        return list(self.client().experiments(experiment.id).observations().fetch().iterate_pages())[::-1]

    def work(
        self,
        experiment,
        name: str = "worker",
        evaluate=lambda point, _progress: Tuning.branin(point),
        on_trial: Callable[[Trial], None] = lambda trial: None,
    ) -> int:
        return run_worker(self.client(), experiment.id, worker=name, evaluate=evaluate, on_trial=on_trial)

    @staticmethod
    def branin(point) -> float:
        """https://www.sfu.ca/~ssurjano/branin.html: three minima of 0.397887 in the box."""
        x, y = point["x"], point["y"]
        level = (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2
        return level + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


@pytest.fixture(scope="session")
def own_tuning(postgres_database, service_home) -> Callable[[], Tuning]:
    """Make a service that the test starts, kills and stops itself."""
    return lambda: Tuning(postgres_database(), service_home)


@pytest.fixture(scope="session")
def tuning(own_tuning) -> Iterator[Tuning]:
    service = own_tuning()
    with service.run():
        yield service


@pytest.fixture
def client(tuning):
    return tuning.client()


@pytest.fixture
def http(tuning):
    with tuning.http() as client:
        yield client


@pytest.fixture(autouse=True)
def _no_sleep_for_earlier_failures():
    """The client counts failures per process and slows down after the fifth."""
    ratelimit.failed_status_rate_limit.clear()
