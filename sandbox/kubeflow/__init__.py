"""Stand-in for Kubeflow Pipelines' API v2beta1 without UI, artifacts, recurring runs, retries, several namespaces.

It takes compiled pipelines (KFP v2, YAML) and runs their container components as processes of this machine: a loop's
items side by side, tasks once those that they depend on have succeeded. Differences that a client could notice:

- an image is an environment and the code of a version, as in the sandbox's cluster (`sandbox/cluster/images.py`);
- a Secret that a component mounts is a folder of the run's own; words of its command that name the path are changed;
- conditions, nested pipelines, artifacts, what a task hands to another, components that are no containers, and more
  than 500 tasks are refused when a run starts; a loop's limit of parallel items is not kept;
- filters of lists know EQUALS and IS_SUBSTRING, of names;
- nothing outlives the process.
"""
