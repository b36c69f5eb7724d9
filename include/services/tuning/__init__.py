"""A tuning service that speaks SigOpt's REST API, so that SigOpt's own client works against it unchanged.

SigOpt's optimiser (`sigoptlite`) proposes, PostgreSQL remembers: nothing is acknowledged before it is committed, and
what a suggestion will be follows from what is stored, so a killed service goes on where it was.

Offered, under `/v1`, with the token as user of HTTP Basic authentication:

- `experiments`: create, fetch, list (`state`, `search`), update, delete (archives; `{"state": "active"}` restores);
- `experiments/<id>/suggestions`: create (also with `assignments`, and with `metadata`), fetch, list (`state=open`),
  update of metadata, delete of one, all or all open;
- `experiments/<id>/observations`: create, create_batch, fetch, list; failed ones too;
- `experiments/<id>/best_assignments` and `/stopping_criteria`, `tokens/self`;
- `X-Response-Content: skip`. Besides: `GET /health`, for everyone.

Different from SigOpt, and why:

- A budget is kept. SigOpt served suggestions beyond it; here a suggestion is refused with 409 when observations and
  open suggestions have spent it, so that workers cannot overshoot together. Delete open suggestions that are lost.
- Reporting the same outcome of a suggestion again returns the first observation; another outcome is refused with 409.
- Suggestions are repeatable: the seed is the experiment's `metadata.seed`, else its id. They are numbered from 1 within
  the experiment (`number`).
- What the optimiser cannot compute, or only in minutes, is refused: whole numbers beyond 2**53 and others beyond 1e150,
  grids of more than 1000 values, more than 200 categorical values or 100 linear constraints in an experiment.

Left out: AI experiments, training runs, checkpoints, files, tags, queued suggestions, importances, projects, clients,
users and rights; experiments of type `grid` or with several solutions; `runs_only`; unnamed metrics; update of
parameters and metrics; update and deletion of observations; sorting of lists; the reason "possible_stagnation".
"""
