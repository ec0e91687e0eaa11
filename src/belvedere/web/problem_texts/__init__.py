"""What each type of problem means, for `/problems/<type>`: the pages that RFC 9457 types lead to. A file per subject.

A rules test compares the types with those that the code can raise.
"""

from typing import Final

from belvedere.web.problem_texts.archives import ARCHIVES
from belvedere.web.problem_texts.files import FILES
from belvedere.web.problem_texts.grafana import GRAFANA
from belvedere.web.problem_texts.influxdb import INFLUXDB
from belvedere.web.problem_texts.installation import INSTALLATION
from belvedere.web.problem_texts.people import PEOPLE
from belvedere.web.problem_texts.problem import Problem
from belvedere.web.problem_texts.requests import REQUESTS
from belvedere.web.problem_texts.sftp import SFTP
from belvedere.web.problem_texts.sftpgo import SFTPGO
from belvedere.web.problem_texts.tenants import TENANTS
from belvedere.web.problem_texts.work import WORK

__all__ = ["PROBLEMS", "SUBJECTS", "Problem"]

SUBJECTS: Final = {
    "Any request": REQUESTS,
    "Who you are": PEOPLE,
    "Tenants, credentials and stores": TENANTS,
    "History, jobs, previews and messages": WORK,
    "Files that come in": FILES,
    "SFTP": SFTP,
    "Grafana": GRAFANA,
    "SFTPGo": SFTPGO,
    "InfluxDB": INFLUXDB,
    "The installation": INSTALLATION,
    "Backup and restore": ARCHIVES,
}
"""The texts by subject, in the order of the help page."""

PROBLEMS: Final[dict[str, Problem]] = {code: one for texts in SUBJECTS.values() for code, one in texts.items()}
"""By code, as `BelvedereError.problem` has it."""
