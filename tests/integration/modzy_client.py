"""What a user of Modzy's published Python client does: run by its own environment, asked on standard input."""

import json
import sys

from modzy import ApiClient
from modzy.error import ResponseError

asked = json.load(sys.stdin)
client = ApiClient(base_url=asked["url"], api_key=asked["key"])
deployed = client.models.deploy(
    container_image=asked["image"],
    model_name="Deployed by the client",
    model_version="0.0.1",
    sample_input_file=asked["sample"],
    short_description="A test",
    tags=["test"],
    long_description="A longer text",
)
model = client.models.get_by_name("Deployed by the client")
version = client.models.get_version(model, "0.0.1")
body = json.dumps({"records": asked["records"]})


def answers(job):
    result = client.results.block_until_complete(job, timeout=60, poll_interval=0.2)
    return result.get_source_outputs("one")["results.json"]


found = {
    "text": answers(client.jobs.submit_text(model, "0.0.1", {"one": {"input": body}})),
    "embedded": answers(client.jobs.submit_embedded(model, "0.0.1", {"one": {"input": body.encode()}})),
    "file": answers(client.jobs.submit_file(model, "0.0.1", {"one": {"input": body.encode()}})),
}
try:
    client.jobs.submit_file(model, "0.0.1", {"one": {"no such input": body.encode()}})
except ResponseError as error:
    refused = error.message
print(json.dumps({**found, "status": version["status"], "jobs": len(client.jobs.get_history()), "refused": refused}))
