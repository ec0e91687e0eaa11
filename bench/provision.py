"""How long it takes to make a tenant: `belvedere` from the request to `ready`, against psql doing the same statements.

The peer is one psql process per tenant on the same server: three databases from the same closed template, two logins
with the same settings, the same grants. The two take turns in one run. Promise: at most three times as long.
"""

import statistics
import subprocess
import time

from server import installation, server, working

from belvedere.kernel.actor import SYSTEM

RUNS = 9

LOGIN = """
CREATE ROLE {role} LOGIN NOINHERIT NOCREATEDB NOCREATEROLE CONNECTION LIMIT 20 PASSWORD 'a long enough password';
ALTER ROLE {role} SET statement_timeout = '30s';
ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE {role} SET max_parallel_workers_per_gather = '0';
ALTER ROLE {role} SET temp_file_limit = '1048576kB';
"""
DATABASE = """
CREATE DATABASE "{name}" TEMPLATE {template} ALLOW_CONNECTIONS false;
BEGIN;
REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE "{name}" TO {role}_w;
GRANT CONNECT ON DATABASE "{name}" TO {role}_r;
COMMENT ON DATABASE "{name}" IS 'a mark';
ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true;
COMMIT;
\\connect "{name}"
BEGIN;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO {role}_w;
GRANT USAGE ON SCHEMA public TO {role}_r;
COMMIT;
\\connect "{name}" {role}_w
BEGIN;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {role}_r;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}_r;
COMMIT;
\\connect "{maintenance}" {superuser}
"""


def script(number: int, template: str) -> str:
    """Return what psql is to do for one tenant."""
    role = f"peer_{number}"
    logins = "".join(LOGIN.format(role=f"{role}_{kind}") for kind in "wr")
    return logins + "".join(
        DATABASE.format(
            name=f"peer{number}-{kind}", template=template, role=role, maintenance="postgres", superuser="postgres"
        )
        for kind in ("timing_report", "QOR", "drc")
    )


def main() -> None:
    """Measure and print."""
    ours, theirs = [], []
    with server() as url, installation(url) as services, working(services, watch=False):
        template = subprocess.run(
            [
                "psql",
                url,
                "-Atc",
                "SELECT datname FROM pg_database WHERE datistemplate AND datname LIKE '%\\_template'",
            ],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for number in range(RUNS + 1):
            began = time.monotonic()
            subprocess.run(
                ["psql", url, "-qX", "-v", "ON_ERROR_STOP=1"], input=script(number, template), text=True, check=True
            )
            between = time.monotonic()
            tenant, _ = services.tenants.create(SYSTEM, f"tenant{number}")
            ready = services.tenants.wait(SYSTEM, tenant.serial, most_s=60)
            if str(ready.state) != "ready":
                msg = f"not ready: {ready.problem}"
                raise SystemExit(msg)
            if number:
                # The first of each warms the server's caches.
                theirs.append(between - began)
                ours.append(time.monotonic() - between)
    ratio = statistics.median(mine / peer for mine, peer in zip(ours, theirs, strict=True))
    print(f"psql, the same statements: median {statistics.median(theirs):.2f} s of {[round(s, 2) for s in theirs]}")
    print(f"tenant created to ready:   median {statistics.median(ours):.2f} s of {[round(s, 2) for s in ours]}")
    print(f"median of the pairs' ratios x{ratio:.2f}; promise x3.00: {'kept' if ratio <= 3 else 'BROKEN'}")


if __name__ == "__main__":
    main()
