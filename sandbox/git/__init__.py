"""The Git repository of the deployments."""
