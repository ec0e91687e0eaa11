"""Problems with the InfluxDB that keeps measured values."""

from typing import Final

from belvedere.web.problem_texts.problem import Problem

INFLUXDB: Final = {
    "influxdb-away": Problem(
        "InfluxDB does not answer",
        "It is down, restarting, too slow, or asks to wait.",
        "Files wait in their folders, in order; nothing of them is lost.",
        "Nothing, if it comes back: everything is tried again by itself. Else look at InfluxDB's own log.",
    ),
    "influxdb-login": Problem(
        "InfluxDB does not take its token",
        "INFLUXDB_ADMIN_TOKEN was deleted or may not make buckets and tokens, or INFLUXDB_ORG is no organization.",
        "Buckets and tokens are neither made nor repaired; points of tenants that have theirs are still written.",
        "Make an all-access or operator token in InfluxDB, set INFLUXDB_ADMIN_TOKEN and INFLUXDB_ORG, and start again.",
    ),
    "influxdb-refused": Problem(
        "InfluxDB refuses",
        "It answered something that trying again does not change; the sentence is its own.",
        "The step was not done, and what belongs to it waits.",
        "Change what the sentence names, then try again.",
    ),
    "influxdb-foreign": Problem(
        "The bucket is somebody else's",
        "A bucket of the tenant's name belongs to another installation or to another tenant of this one.",
        "Nothing was written to it.",
        "Delete or rename that bucket if nobody needs it, or take its description away to have it taken over.",
    ),
    "viewer-influxdb": Problem(
        "The built-in viewer cannot read InfluxDB",
        "The tenant looks at the built-in pages, which read PostgreSQL, and its measured values are in InfluxDB.",
        "Values are kept; the campaign's dashboard is not shown.",
        "Move the tenant to a Grafana, or set BELVEDERE_POINTS=postgresql and have the files read again.",
    ),
}
