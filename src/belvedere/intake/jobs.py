"""The jobs of this room."""

from belvedere.intake.campaigns.service import Campaigns
from belvedere.intake.service import Intake
from belvedere.jobs.model import Job


def jobs(intake: Intake, campaigns: Campaigns, *, look_s: float, readers: int) -> list[Job]:
    """Return what runners can do here.

    Args:
        intake: what is done with files.
        campaigns: what is done with folders.
        look_s: seconds between two looks at all folders.
        readers: how many tenants' files one runner reads at a time.
    """
    return [
        Job(
            "intake.take", intake.take, "Take the files of a tenant that are complete: read, store, move, report.",
            queue="intake", at_once=readers,
        ),
        Job("intake.look", intake.look, "Look at all of a tenant's folder.", queue="intake", at_once=readers),
        Job("intake.look-all", intake.look_all, "Look at the folders of all tenants.", every_s=look_s),
        Job("intake.settle-campaign", campaigns.settle, "Make the store ready for a campaign, as it is named now."),
        Job("intake.make-home", intake.make_home, "Make the folder of a new tenant."),
        Job("intake.remove-tenant", intake.remove_tenant, "Remove the folder and uploads of a tenant that goes."),
    ]
