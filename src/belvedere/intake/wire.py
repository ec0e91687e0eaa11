"""From settings to the services of this room. `app.py` gives what other rooms make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from belvedere.audit.model import History
from belvedere.intake.campaigns.service import Campaigns
from belvedere.intake.files import Root
from belvedere.intake.jobs import jobs
from belvedere.intake.look import Looking
from belvedere.intake.model import Taker
from belvedere.intake.reader import Readers
from belvedere.intake.reports_written import Reports
from belvedere.intake.service import Intake
from belvedere.intake.storing import Storing, Takers
from belvedere.intake.take import Taking
from belvedere.intake.uploads.service import Uploads
from belvedere.jobs.model import Job, Queue
from belvedere.kernel.clock import Now, utc_now
from belvedere.kernel.db import Database
from belvedere.kernel.settings import Settings
from belvedere.tenants.service import Tenants


@dataclass(frozen=True, slots=True)
class Files:
    """The services of this room."""

    intake: Intake
    campaigns: Campaigns
    uploads: Uploads
    jobs: list[Job]


def files_of(
    settings: Settings, *, database: Database, history: History, queue: Queue, tenants: Tenants,
    takers: Sequence[Taker], summaries: Callable[[bytes], None], now: Now = utc_now,
) -> Files:
    """Make them.

    Args:
        settings: of the installation.
        database: the control database.
        history: where deeds are written down.
        queue: the way to jobs.
        tenants: whose folders there are.
        takers: who takes which files, in the order in which they are asked.
        summaries: keeps summary points of runs and files.
        now: the time.
    """
    root = Root(settings.path(settings.data_root))
    every = Takers(takers)
    campaigns = Campaigns(
        database=database, history=history, queue=queue, tenants=tenants, root=root, takers=every.every, now=now
    )
    readers = Readers(memory_bytes=settings.intake_memory_bytes, timeout_s=settings.intake_timeout_s)
    taking = Taking(
        database=database, history=history, queue=queue, takers=every, readers=readers,
        storing=Storing(database=database, campaigns=campaigns, takers=every, now=now),
        reports=Reports(
            database=database, folder=settings.path(settings.tsv_report_dir), root=root.path, summaries=summaries,
            now=now,
        ),
        still_s=settings.intake_still_s, now=now,
    )
    intake = Intake(
        database=database, history=history, queue=queue, tenants=tenants, root=root,
        looking=Looking(database=database, campaigns=campaigns, now=now), taking=taking,
        still_s=settings.intake_still_s, on=settings.intake, close=readers.close, now=now,
    )
    return Files(
        intake, campaigns,
        Uploads(database=database, history=history, queue=queue, tenants=tenants, root=root, now=now),
        jobs(intake, campaigns, look_s=settings.intake_look_s, readers=settings.intake_readers),
    )
