"""`python -m include.foundation.spec schema`: the JSON Schema of `use_case.yaml` (docs/use_case.schema.json)."""

import argparse

from include.foundation.spec.schema import schema

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m include.foundation.spec", description=__doc__)
    parser.add_argument("what", choices=["schema"])
    parser.parse_args()
    print(schema(), end="")
