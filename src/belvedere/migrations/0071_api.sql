-- Answers kept for a day for requests with an `Idempotency-Key`. Sealed, since some hold a secret shown once.
CREATE TABLE api_answer (
    -- SHA-256 of who, which route and the key.
    scope bytea PRIMARY KEY,
    -- SHA-256 of what was asked.
    request bytea NOT NULL,
    -- The answer; NULL while the first request works.
    sealed bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX api_answer_age ON api_answer (created_at);
