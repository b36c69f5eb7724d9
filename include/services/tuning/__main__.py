"""`python -m include.services.tuning`: run the tuning service."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

# before numpy is imported: threads of linear algebra cost more than they bring on matrices of this size
for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(_name, "1")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(prog="python -m include.services.tuning", description=__doc__)
    root.add_argument(
        "--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on (default: %(default)s)"
    )
    root.add_argument(
        "--port", type=int, default=os.environ.get("PORT", "5500"), help="port to listen on (default: %(default)s)"
    )
    root.add_argument("--dsn", default=os.environ.get("FLIGHTLINE_TUNING_DSN"), help="libpq DSN of the state")
    root.add_argument("--token-file", type=Path, help="file with the accepted API tokens, one a line")
    return root


def tokens(file: Path | None) -> list[str]:
    """The accepted tokens, of the file or of SIGOPT_API_TOKEN."""
    text = file.read_text(encoding="utf-8") if file else os.environ.get("SIGOPT_API_TOKEN", "")
    return text.split()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM; requests that run are answered first."""
    options = parser().parse_args(arguments)
    try:
        accepted = tokens(options.token_file)
    except OSError as error:
        print(f"the token file cannot be read: {error}", file=sys.stderr)
        return 2
    if not accepted or not options.dsn:
        print("give --dsn or FLIGHTLINE_TUNING_DSN, and --token-file or SIGOPT_API_TOKEN", file=sys.stderr)
        return 2

    import psycopg
    import uvloop

    from include.foundation.http import json_log
    from include.foundation.http.guard import Limits
    from include.foundation.http.host import Hosts
    from include.foundation.http.json_log import AccessLog
    from include.foundation.http.server import serve
    from include.services.tuning.app import LARGEST_BODY, application
    from include.services.tuning.store import Store

    json_log.configure()
    logging.getLogger("libsigopt").setLevel(logging.WARNING)  # it logs every matrix
    store = Store(options.dsn)
    try:
        store.prepare()
    except psycopg.OperationalError as error:
        print(f"the database does not answer, start it first: {error}", file=sys.stderr)
        return 1
    hosts = Hosts(os.environ.get("FLIGHTLINE_ALLOWED_HOSTS", "").split())
    access_log = AccessLog(sys.stdout.buffer)
    app = application(store, accepted, limits=Limits(body=LARGEST_BODY, hosts=hosts), access_log=access_log)
    uvloop.run(serve(app, host=options.host, port=options.port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
