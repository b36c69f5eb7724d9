"""Stand-in for SageMaker's training jobs: no other hosts, GPUs, VPC, quotas, IAM, prices; nothing outlives the process.

It is moto's server (all of its services answer; signatures are not checked), whose training jobs are made real: each
runs its image by SageMaker's container contract, as a process of this machine. Differences that a client could notice:

- an image is an environment and the code of a version, as in the sandbox's cluster (`sandbox/cluster/images.py`), and
  its `/opt/ml` is a folder of the job's own, which `SAGEMAKER_BASE_DIR` names;
- one host, whatever the instance type; a job of several hosts is refused;
- input is copied (`File`), other input modes are refused; checkpoints stay on this machine, by their S3 address;
- requests are held to botocore's description of the API: types, lengths, patterns, allowed values;
- the log is in `/aws/sagemaker/TrainingJobs` as soon as the job writes it;
- `/faults` takes what is to go wrong (`faults.py`).
"""
