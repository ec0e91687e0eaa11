"""What wakes what: event name to the jobs that it starts with the event's key. The only fan-out there is."""

from typing import Final

from belvedere.jobs.model import Reactions

REACTIONS: Final[Reactions] = {
    "tenant.created": ["stores.provision", "intake.make-home"],
    "tenant.changed": ["stores.provision", "workspaces.look-again"],
    "stores.ready": ["workspaces.provision"],
    "workspace.ready": ["dashboards.reconcile-tenant"],
    "workspace.moved": ["dashboards.readdress"],
    "dashboards.readdressed": ["workspaces.leave"],
    "tables.changed": ["dashboards.reconcile"],
    "dashboard.changed": ["previews.open"],
    "dashboard.renewed": ["previews.open"],
    "dashboard.removed": ["previews.forget"],
    "credentials.changed": ["workspaces.provision", "notifications.check"],
    "members.changed": ["workspaces.provision"],
    "sftp-users.changed": ["sftpgo.provision"],
    "campaign.made": ["intake.settle-campaign"],
    "campaign.changed": ["intake.settle-campaign"],
    "upload.done": ["dashboards.renew"],
    "tenant.deleting": ["sftpgo.provision", "intake.remove-tenant"],
    "tenant.files-removed": ["previews.remove-tenant"],
    "tenant.previews-removed": ["workspaces.remove-tenant"],
    "tenant.workspace-removed": ["stores.remove-tenant"],
    "tenant.stores-removed": ["tenants.purge"],
}
"""Keys: a tenant's serial number for `tenant.*`, `stores.*`, `workspace.*`, `credentials.*`, `members.*` and
`dashboards.*`; a store's id for `tables.*`; a dashboard's id for `dashboard.*`; a
campaign's id for `campaign.*` and `upload.done`, which is said whenever files of it are done.
A preview that ends announces itself (`notifications/service.py`)."""
