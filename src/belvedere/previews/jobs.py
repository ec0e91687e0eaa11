"""The jobs of this room."""

from belvedere.jobs.model import Job
from belvedere.previews.service import Previews


def jobs(service: Previews) -> list[Job]:
    """Return what runners can do here."""
    return [
        Job("previews.open", service.changed, "Note that a dashboard changed and is to be captured."),
        Job(
            "previews.capture", service.capture, "Take the picture whose turn it is; tenants take turns.", priority=-5,
            queue="browser", at_once=service.browsers,
        ),
        Job("previews.forget", service.forget, "Remove the pictures of a dashboard that is gone."),
        Job("previews.remove-tenant", service.remove_tenant, "Remove the pictures and messages of a tenant that goes."),
        Job("previews.tidy", service.tidy, "End browsers that nobody owns; wake forgotten rounds.", every_s=300.0),
    ]
