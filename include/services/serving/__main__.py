"""`python -m include.services.serving`: serve the model that the environment names (settings.py).

Exit codes: 0 after SIGTERM; 3 the port cannot be bound; 65 the model file is not the pinned one; 75 a service is needed
and does not answer; 78 the environment or the model is of no use, a restart cannot help.
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # a few rows at a time: handing them to threads takes longer

import logging
import sys

import uvloop

from include.foundation.errors import DigestMismatch, FlightlineError, PermanentError
from include.foundation.http import json_log
from include.foundation.http.server import serve
from include.services.serving.assembly import assemble
from include.services.serving.settings import Settings

log = logging.getLogger("include.services.serving")
EXIT = {DigestMismatch: os.EX_DATAERR, PermanentError: os.EX_CONFIG, FlightlineError: os.EX_TEMPFAIL}  # first that fits


def main() -> int:
    """Serve until a signal ends it. Returns the exit code."""
    json_log.configure()
    try:
        settings = Settings.from_env(os.environ)
        app, service, readiness, prediction_log = assemble(settings)
    except FlightlineError as error:
        code = next(code for kind, code in EXIT.items() if isinstance(error, kind))
        log.critical("not serving: %s", error, extra={"fields": {"error": type(error).__name__, "exit": code}})
        return code
    background = [readiness.watch()]
    if settings.marketplace_port:
        from include.services.serving import marketplace  # who does not need gRPC does not pay for it

        background.append(
            marketplace.serve(service, host=settings.host, port=settings.marketplace_port, max_input=settings.max_body)
        )
    uvloop.run(
        serve(
            app,
            host=settings.host,
            port=settings.port,
            drain_seconds=settings.drain_seconds,
            on_leave=readiness.drain,
            background=background,
        )
    )
    if prediction_log:
        prediction_log.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
