"""Stand-in for SageMaker's jobs and endpoints: no other hosts, GPUs, VPC, quotas, IAM, prices; it forgets at its end.

It is moto's server (all of its services answer; signatures are not checked), whose training jobs and endpoints are made
real: each runs its image by SageMaker's container contracts, as a process of this machine. Differences that a client
could notice:

- an image is an environment and the code of a version, as in the sandbox's cluster (`sandbox/cluster/images.py`), and
  its `/opt/ml` is a folder of the job's own, which `SAGEMAKER_BASE_DIR` names;
- one host, whatever the instance type; a job of several hosts is refused;
- input is copied (`File`), other input modes are refused; checkpoints stay on this machine, by their S3 address;
- requests are held to botocore's description of the API: types, lengths, patterns, allowed values;
- an endpoint has one machine and one variant, and answers `InvokeEndpoint` alone (no streams, no asynchronous ones);
- an update is blue and green without shifting in steps; alarms and scaling are left out;
- the log is in `/aws/sagemaker/TrainingJobs` or `/aws/sagemaker/Endpoints/<name>` as soon as it is written;
- `/faults` takes what is to go wrong (`faults.py`).
"""
