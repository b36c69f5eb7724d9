"""One folder a use case: `use_case.yaml`, `contract.py`, `features.py`, `model.py`."""
