"""The jobs of this room."""

from belvedere.jobs.model import Job
from belvedere.notifications.service import Notifications


def jobs(service: Notifications) -> list[Job]:
    """Return what runners can do here."""
    return [
        Job("notifications.deliver", service.deliver, "Send one message to one channel.", priority=5),
        Job("notifications.check", service.check, "Send what failed for want of working credentials."),
        Job("notifications.sweep", service.sweep, "Wake messages that wait.", every_s=300.0),
    ]
