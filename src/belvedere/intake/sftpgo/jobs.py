"""The job of this room."""

from belvedere.intake.sftpgo.service import JOB, SftpGoUsers
from belvedere.jobs.model import Job

_EVERY_S = 300.0


def jobs(service: SftpGoUsers) -> list[Job]:
    """Return what runners can do here."""
    return [
        Job(
            JOB, service.provision, "Make the users of SFTPGo as a tenant's SFTP users are.",
            every_s=_EVERY_S,
        )
    ]
