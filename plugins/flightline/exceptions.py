"""The errors of `flightline`, in one tree. Those marked * are never retried (they are AirflowFailExceptions too).

FlightlineAirflowError
├── AirflowAsked                    Airflow's own API did not do what a page asked of it
├── ArgoCDError                     message starts with the application
│   ├── ArgoCDUnavailable           no answer, 429, 5xx or a passing reason, after all retries
│   ├── ArgoCDRefused *             the request can never be granted: 400, 401, 403, 404, 415
│   ├── ArgoCDSyncWindowClosed      a sync window forbids it now
│   ├── ArgoCDOperationInProgress   one operation at a time, and another one runs
│   └── ArgoCDVerdict               the sync was carried out, or waited for to the end: a retry would be another sync
│       ├── ArgoCDSyncFailed        the operation ended otherwise than Succeeded
│       ├── ArgoCDSuperseded        another operation took the place of ours, to another revision
│       ├── ArgoCDUnhealthy         synced, but Degraded
│       └── ArgoCDTimeout           not synced or not healthy in time
├── GitOpsError
│   ├── GitOpsUnavailable           the repository cannot be read or written now
│   ├── GitOpsConflict              others pushed first, again and again
│   └── GitOpsInvalid *             a path leaves the repository, a commit to restore does not exist, or others changed
│                                   what a run restores
├── KubeflowError
│   ├── KubeflowUnavailable         no answer, 429 or 5xx, after all retries
│   └── KubeflowRefused *           the request can never be granted
├── ModzyError
│   ├── ModzyUnavailable            no answer, 429 or 5xx, after all retries
│   ├── ModzyRefused *              the request can never be granted; `status` is HTTP's
│   ├── ModzyTimeout                an image, a test run or a job was not ready in time
│   └── ModzyFailed *               the image does not answer as the version does, or a job's items failed
├── RancherError
│   ├── RancherUnavailable          no answer, 429 or 5xx, after all retries
│   ├── RancherRefused *            the request can never be granted, or no cluster is meant by it
│   └── ClusterUnavailable          a cluster, which the message names, is not active or not reached, or has no room
└── SageMakerError
    ├── SageMakerUnavailable        throttled, the quota is used up now, no answer, after all retries
    ├── SageMakerRefused *          the request can never be granted
    ├── SageMakerEndpointFailed     an endpoint was not in service with what it was told to serve, or not in time
    └── SageMakerAnswersDiffer *    an endpoint does not answer as the version does
"""

from airflow.sdk.exceptions import AirflowException, AirflowFailException


class FlightlineAirflowError(AirflowException):
    """Base of every error that this package raises on purpose."""


class AirflowAsked(FlightlineAirflowError):
    """Airflow's own API did not do what a page asked of it."""


class ArgoCDError(FlightlineAirflowError):
    """Argo CD did not do what was asked."""


class ArgoCDUnavailable(ArgoCDError):
    """No answer, 429, 5xx or a refusal for a passing reason, after all retries."""


class ArgoCDRefused(ArgoCDError, AirflowFailException):
    """The request can never be granted."""


class ArgoCDSyncWindowClosed(ArgoCDError):
    """A sync window forbids the sync now."""


class ArgoCDOperationInProgress(ArgoCDError):
    """Another operation of the application runs."""


class ArgoCDVerdict(ArgoCDError):
    """The sync was carried out, or waited for to the end: a retry would be another sync."""


class ArgoCDSyncFailed(ArgoCDVerdict):
    """The operation ended otherwise than Succeeded."""


class ArgoCDSuperseded(ArgoCDVerdict):
    """Another operation took the place of ours, to another revision."""


class ArgoCDUnhealthy(ArgoCDVerdict):
    """The revision is synced, but Degraded."""


class ArgoCDTimeout(ArgoCDVerdict):
    """The revision was not synced or not healthy in time."""


class GitOpsError(FlightlineAirflowError):
    """The GitOps repository did not take a commit."""


class GitOpsUnavailable(GitOpsError):
    """The repository cannot be read or written now."""


class GitOpsConflict(GitOpsError):
    """Others pushed first, again and again."""


class GitOpsInvalid(GitOpsError, AirflowFailException):
    """A path leaves the repository, a commit to restore does not exist, or others changed what a run restores."""


class KubeflowError(FlightlineAirflowError):
    """Kubeflow Pipelines did not do what was asked."""


class KubeflowUnavailable(KubeflowError):
    """No answer, 429 or 5xx, after all retries."""


class KubeflowRefused(KubeflowError, AirflowFailException):
    """The request can never be granted."""


class SageMakerError(FlightlineAirflowError):
    """SageMaker did not do what was asked."""


class SageMakerUnavailable(SageMakerError):
    """Throttled, the quota is used up now, or no answer, after all retries."""


class SageMakerRefused(SageMakerError, AirflowFailException):
    """The request can never be granted."""


class SageMakerEndpointFailed(SageMakerError):
    """An endpoint was not in service with what it was told to serve, or not in time."""


class SageMakerAnswersDiffer(SageMakerError, AirflowFailException):
    """An endpoint does not answer as the version does."""


class ModzyError(FlightlineAirflowError):
    """Modzy did not do what was asked."""


class ModzyUnavailable(ModzyError):
    """No answer, 429 or 5xx, after all retries."""


class ModzyRefused(ModzyError, AirflowFailException):
    """The request can never be granted. `status` is HTTP's."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class ModzyTimeout(ModzyError):
    """An image, a test run or a job was not ready in time."""


class ModzyFailed(ModzyError, AirflowFailException):
    """The image does not answer as the version does, or items of a job failed."""


class RancherError(FlightlineAirflowError):
    """Rancher did not do what was asked."""


class RancherUnavailable(RancherError):
    """No answer, 429 or 5xx, after all retries."""


class RancherRefused(RancherError, AirflowFailException):
    """The request can never be granted, or no cluster is meant by it."""


class ClusterUnavailable(RancherError):
    """A cluster, which the message names, is not active or not reached, or has no room."""
