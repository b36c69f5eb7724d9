import io
import json
import logging
import sys

from include.foundation.http.json_log import AccessLog, JsonFormatter


def test_a_record_is_one_line_with_its_fields_and_traceback() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        fault = sys.exc_info()
    record = logging.LogRecord("here", logging.WARNING, __file__, 1, "%s\nfailed", ("it",), fault)
    record.fields = {"rows": 3}
    line = JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert (told["level"], told["logger"], told["message"], told["rows"]) == ("warning", "here", "it\nfailed", 3)
    assert "ValueError: no" in told["traceback"]


def test_requests_are_lines_or_nothing() -> None:
    stream = io.BytesIO()
    AccessLog(stream).write({"endpoint": "predict", "status": 200})
    assert json.loads(stream.getvalue()) | {"time": 0} == {
        "time": 0,
        "level": "info",
        "logger": "access",
        "endpoint": "predict",
        "status": 200,
    }
    AccessLog(None).write({"endpoint": "predict"})
