"""What every HTTP service of the project has in common: limits, errors, access log, metrics and the process' life.

`Guard` is ASGI middleware: a service is whatever stands behind it, a Starlette router (`services/tuning`) or a plain
ASGI function where its cost would show (`services/serving`; docs/adr/0004-serving-library.md has the figures). `serve`
runs it. Needs orjson, prometheus-client, starlette, uvicorn, uvloop and httptools.
"""
