-- Documents are json, not jsonb: numbers and the order of keys stay as they were sent.
create schema if not exists tuning;

create table if not exists tuning.experiments (
    id bigint generated always as identity primary key,
    state text not null default 'active' check (state in ('active', 'deleted')),
    name text not null,
    project text,
    budget integer,
    parallel_bandwidth integer,
    metadata json,
    spec json not null,
    created timestamptz not null default now(),
    updated timestamptz not null default now()
);

create table if not exists tuning.suggestions (
    id bigint generated always as identity primary key,
    experiment bigint not null references tuning.experiments,
    number integer not null,
    assignments json not null,
    task json,
    metadata json,
    created timestamptz not null default now(),
    deleted boolean not null default false,
    unique (experiment, number)
);

-- One observation per suggestion: a report repeated after a lost reply finds the first one.
create table if not exists tuning.observations (
    id bigint generated always as identity primary key,
    experiment bigint not null references tuning.experiments,
    suggestion bigint unique references tuning.suggestions,
    assignments json not null,
    task json,
    measurements json,
    failed boolean not null,
    metadata json,
    created timestamptz not null default now()
);

create index if not exists observations_of_experiment on tuning.observations (experiment, id);
