"""The wire format is that of the interface's description, byte by byte."""

import pytest

from include.services.serving.messages import METHODS, RunRequest, RunResponse, StatusResponse


def test_a_run_request_has_the_interface_s_bytes() -> None:
    # Field 1 of the request holds an item, whose field 1 is a map's entry: key 1, value 2; field 3 is a truth value.
    item = b"\x0a\x09\x0a\x07" + b"\x0a\x01a" + b"\x12\x02{}"
    request = RunRequest(inputs=[{"input": {"a": b"{}"}}], explain=True)
    assert request.SerializeToString(deterministic=True) == item + b"\x18\x01"
    assert dict(RunRequest.FromString(item).inputs[0].input) == {"a": b"{}"}


def test_answers_number_their_fields_as_the_interface_does() -> None:
    said = RunResponse(status_code=200, outputs=[{"output": {"x": b"1"}, "success": True}]).SerializeToString()
    assert said == b"\x08\xc8\x01" + b"\x22\x0a" + b"\x0a\x06\x0a\x01x\x12\x011" + b"\x10\x01"
    status = StatusResponse(resources={"num_cpus": 1.0}, timeout={"run": "1"}, features={"batch_size": 2})
    assert status.SerializeToString() == b"\x42\x05\x15\x00\x00\x80\x3f" + b"\x4a\x03\x12\x011" + b"\x52\x02\x10\x02"


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_request_and_an_answer(name: str) -> None:
    asked, answered = METHODS[name]
    assert (asked.DESCRIPTOR.full_name, answered.DESCRIPTOR.full_name) == (f"{name}Request", f"{name}Response")
