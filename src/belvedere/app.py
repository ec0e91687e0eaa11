"""The wiring: settings to adapters to services. The one file that names every vendor.

Doors ask `Services` for what they call; services get their collaborators here and nowhere else.
"""

from dataclasses import dataclass

from belvedere.audit.postgres import DatabaseAnchors
from belvedere.audit.service import FileHistory
from belvedere.credentials.keys import source_of
from belvedere.credentials.service import Credentials
from belvedere.credentials.vault import Vault
from belvedere.dashboards import jobs as dashboard_jobs
from belvedere.dashboards.fleet import jobs as fleet_jobs
from belvedere.dashboards.fleet.service import Fleet
from belvedere.dashboards.fleet.wire import fleet_of
from belvedere.dashboards.points.forms import forms_of
from belvedere.dashboards.service import Dashboards
from belvedere.dashboards.templates import GrafanaTemplates
from belvedere.dashboards.to_gateway import carried, uncarried
from belvedere.gateway.grafana import GrafanaKeys
from belvedere.gateway.identities import LinkedIdentities
from belvedere.gateway.idtoken import Expected, IdTokens
from belvedere.gateway.links import MemberLinks
from belvedere.gateway.model import PROOF_HEADER, Limits
from belvedere.gateway.points import answers_of
from belvedere.gateway.secret import secrets_of
from belvedere.gateway.service import Gateway
from belvedere.identity import jobs as identity_jobs
from belvedere.identity.accounts import Accounts
from belvedere.identity.flash import Flashes
from belvedere.identity.members.invitations import Invitations
from belvedere.identity.members.service import Members
from belvedere.identity.sessions import Sessions
from belvedere.identity.tokens import Tokens
from belvedere.intake.campaigns.measured import Measurements
from belvedere.intake.campaigns.service import Campaigns
from belvedere.intake.hooks.local import LocalDoor
from belvedere.intake.hooks.service import Hooks
from belvedere.intake.hooks.wire import hooks_of
from belvedere.intake.hooks.wire import secrets_of as hook_secrets_of
from belvedere.intake.meter_files import MeterFiles
from belvedere.intake.reports.taker import ReportFiles
from belvedere.intake.resumable import jobs as resumable_jobs
from belvedere.intake.resumable.parts import Parts
from belvedere.intake.resumable.service import CHUNK_BYTES, Resumable
from belvedere.intake.service import Intake
from belvedere.intake.sftp.service import SftpUsers
from belvedere.intake.sftp.sessions import SftpSessions
from belvedere.intake.sftpgo import jobs as sftpgo_jobs
from belvedere.intake.sftpgo.adoption import SftpGoAdoption
from belvedere.intake.sftpgo.service import SftpGoUsers
from belvedere.intake.sftpgo.wire import users_of as sftpgo_of
from belvedere.intake.uploads.service import Uploads
from belvedere.intake.wire import Files, files_of
from belvedere.inventory.service import Inventories
from belvedere.jobs.model import Job
from belvedere.jobs.queue import JobQueue
from belvedere.kernel.clock import utc_now
from belvedere.kernel.control import control_url
from belvedere.kernel.db import Database
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.notifications import jobs as notification_jobs
from belvedere.notifications.service import Notifications
from belvedere.notifications.slack import slack
from belvedere.previews import jobs as preview_jobs
from belvedere.previews.service import Previews
from belvedere.previews.wire import previews_of
from belvedere.reactions import REACTIONS
from belvedere.stores import jobs as store_jobs
from belvedere.stores.influx import jobs as influx_jobs
from belvedere.stores.influx.influx import InfluxPoints
from belvedere.stores.influx.logins import StoreLogins
from belvedere.stores.influx.wire import influx_of, keeps_points
from belvedere.stores.points import PointStore
from belvedere.stores.series.service import SeriesPoints
from belvedere.stores.service import Stores
from belvedere.stores.tables.service import FileTables
from belvedere.stores.watch import Watcher
from belvedere.stores.wire import server_of
from belvedere.tenants import jobs as tenant_jobs
from belvedere.tenants.service import Tenants
from belvedere.workspaces import jobs as workspace_jobs
from belvedere.workspaces.adoption.service import Adoption
from belvedere.workspaces.drift.service import Drift
from belvedere.workspaces.grafana.desired import Publications
from belvedere.workspaces.grafana.own import OwnGrafanas
from belvedere.workspaces.grafana.shared.model import QueryGateway
from belvedere.workspaces.grafana.wire import base_of, gateway_address, grafana_of, options_of, shared_of, tier_of
from belvedere.workspaces.moves import Moves
from belvedere.workspaces.organisations import Organisations
from belvedere.workspaces.people import People
from belvedere.workspaces.service import Workspaces
from belvedere.workspaces.viewer.service import Viewer
from belvedere.workspaces.viewer.workspace import ViewerWorkspace


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door may call, made once per process."""

    settings: Settings
    database: Database
    history: FileHistory
    queue: JobQueue
    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    members: Members
    invitations: Invitations
    flash: Flashes
    vault: Vault
    credentials: Credentials
    tenants: Tenants
    stores: Stores
    points: PointStore
    series: SeriesPoints
    influx: InfluxPoints | None
    workspaces: Workspaces
    own_grafanas: OwnGrafanas
    moves: Moves
    dashboards: Dashboards
    templates: GrafanaTemplates
    viewer: Viewer
    fleet: Fleet
    notifications: Notifications
    previews: Previews
    identities: LinkedIdentities
    sftp: SftpUsers
    sftpgo: SftpGoUsers
    files: Files

    @property
    def intake(self) -> Intake:
        """Files that come in."""
        return self.files.intake

    @property
    def campaigns(self) -> Campaigns:
        """The folders that they come in."""
        return self.files.campaigns

    @property
    def uploads(self) -> Uploads:
        """What became of them."""
        return self.files.uploads

    @property
    def resumable(self) -> Resumable:
        """Files on their way over HTTP."""
        settings = self.settings
        return Resumable(
            database=self.database, history=self.history, tenants=self.tenants, intake=self.intake,
            parts=Parts(self.intake.root), most_bytes=settings.http_upload_bytes,
            chunk_bytes=min(CHUNK_BYTES, settings.max_body_bytes),
        )

    @property
    def sftpgo_adoption(self) -> SftpGoAdoption:
        """Users that an SFTPGo had first."""
        return SftpGoAdoption(history=self.history, users=self.sftp, kept=self.sftpgo)

    @property
    def sftp_sessions(self) -> SftpSessions:
        """Who signs in over SSH, and who is there."""
        return SftpSessions(database=self.database, history=self.history)

    @property
    def people(self) -> People:
        """Tenants' members as users of Grafana."""
        return People(
            database=self.database, history=self.history, credentials=self.credentials, tenants=self.tenants,
            members=self.members, rooms=self.workspaces,
        )

    @property
    def adoption(self) -> Adoption:
        """What other programs made in Grafana, and taking it over."""
        grafana = self.workspaces.grafana
        return Adoption(
            database=self.database, history=self.history, queue=self.queue, tenants=self.tenants,
            credentials=self.credentials, grafana=grafana.grafana if grafana is not None else None,
            shared=lambda: shared_of(self.settings, None).number or self.workspaces.shared_organisation(),
        )

    @property
    def drift(self) -> Drift:
        """How workspaces are, and what differs in them."""
        return Drift(database=self.database, tenants=self.tenants, workspaces=self.workspaces)

    @property
    def organisations(self) -> Organisations:
        """The organisations of the installation's Grafana."""
        return Organisations(database=self.database, tenants=self.tenants, workspaces=self.workspaces)

    @property
    def inventories(self) -> Inventories:
        """What tenants have."""
        return Inventories(
            tenants=self.tenants, stores=self.stores, members=self.members, dashboards=self.dashboards,
            drift=self.drift,
        )

    def gateway(self) -> Gateway:
        """Make the query gateway of a shared Grafana, for the process that serves it."""
        settings = self.settings
        keys = GrafanaKeys(settings.grafana_url)

        def expected() -> Expected:
            # The shared organisation may be made after the gateway has started.
            return Expected(issuer, settings.gateway_organisation or self.workspaces.shared_organisation())

        issuer = settings.gateway_issuer or settings.grafana_url
        return Gateway(
            stores=self.stores, identities=self.identities, history=self.history,
            tokens=IdTokens(find_key=keys.find, expected=expected, now=utc_now), secrets=self.gateway_secrets(),
            limits=Limits(settings.gateway_rows, settings.gateway_bytes, settings.gateway_at_once),
            longest_s=settings.tenant_statement_timeout_s, points=answers_of(settings, self.influx),
        )

    def gateway_secrets(self) -> list[Secret]:
        """Return what Grafana proves itself to the gateway with; the first is the one to hand out."""
        return secrets_of(self.settings.gateway_secret, source_of(self.settings))

    def hooks(self) -> Hooks:
        """Make the rules of the doors by which SFTPGo tells of files, for the process that serves one."""
        return hooks_of(self.settings, database=self.database, history=self.history, intake=self.intake)

    def hook_secrets(self) -> list[Secret]:
        """Return what SFTPGo proves itself with; the first is the one to hand out."""
        return hook_secrets_of(self.settings)

    def hook_door(self) -> LocalDoor:
        """Make the local door of the command hook, for the one process of a host that serves it."""
        return LocalDoor(self.hooks(), self.settings.path(self.settings.hook_dir))

    @property
    def jobs(self) -> list[Job]:
        """What a runner of this installation can do: the jobs of all rooms."""
        return [
            *tenant_jobs.jobs(self.tenants),
            *store_jobs.jobs(self.stores),
            *influx_jobs.jobs(self.influx),
            *workspace_jobs.jobs(self.workspaces, self.people, self.moves),
            *dashboard_jobs.jobs(self.dashboards),
            *fleet_jobs.jobs(self.fleet),
            *preview_jobs.jobs(self.previews),
            *notification_jobs.jobs(self.notifications),
            *identity_jobs.jobs(self.history),
            *sftpgo_jobs.jobs(self.sftpgo),
            *self.files.jobs,
            *resumable_jobs.jobs(self.resumable),
        ]

    def watcher(self) -> Watcher:
        """Make the watcher of tenants' tables; of several that run, one watches."""
        return Watcher(
            database=self.database, queue=self.queue, servers=[self.stores.server],
            interval_s=self.settings.watch_interval_s, full_every_s=self.settings.scan_interval_ms / 1000,
        )

    def close(self) -> None:
        """Give back what is open."""
        self.intake.close()
        self.sftpgo.close()
        self.workspaces.close()
        self.stores.close()
        if self.influx is not None:
            self.influx.close()
        self.history.close()
        self.database.close()
        # Last: signing out of many that do not answer takes its time.
        self.own_grafanas.close()


def build(settings: Settings) -> Services:
    """Make the services for one process. The control database must be there and migrated."""
    database = Database(
        control_url(settings), size=settings.pool_size, timeout_s=settings.pool_timeout_s, idle_s=settings.pool_idle_s
    ).open()
    history = FileHistory(settings.path("history"), anchors=DatabaseAnchors(database), known_secrets=settings.secrets())
    queue = JobQueue(database, REACTIONS, history)
    accounts = Accounts(database=database, history=history)
    sessions = Sessions(database=database, history=history, idle_hours=settings.session_hours)
    tokens = Tokens(database=database, history=history)
    members = Members(database=database, history=history, queue=queue)
    flash = Flashes(database=database, history=history)
    vault = Vault.of(settings)
    credentials = Credentials(database=database, history=history, queue=queue, vault=vault)
    tenants = Tenants(database=database, history=history, queue=queue)
    invitations = Invitations(database=database, history=history, members=members, tenants=tenants)
    influx, stores = _stores(
        settings, database=database, history=history, queue=queue, tenants=tenants, credentials=credentials
    )
    series = SeriesPoints(database=database, stores=stores, tenants=tenants, timescale=settings.series_timescale)
    points: PointStore = influx if influx is not None and keeps_points(settings) else series
    identities = LinkedIdentities(database=database, history=history, tenants=tenants)
    workspaces, own = _workspaces(
        settings, database=database, history=history, queue=queue, tenants=tenants, credentials=credentials,
        logins=StoreLogins(stores, influx), members=members, identities=identities,
        # The dashboards room is made below: it publishes to this one.
        publications=lambda serial: dashboards.publications(serial),  # noqa: PLW0108
    )
    dashboards: Dashboards = Dashboards(
        database=database, history=history, queue=queue, stores=stores, workspaces=workspaces, base_url=settings.url,
        reached=bool(settings.public_url), points=forms_of(settings, influx),
        campaigns=Measurements(database=database, store_kind=points.kind),
    )
    templates = GrafanaTemplates(
        database=database, history=history, queue=queue, dashboards=dashboards, workspaces=workspaces
    )
    notifications = _notifications(settings, database=database, queue=queue, history=history, credentials=credentials)
    previews = previews_of(
        settings, database=database, queue=queue, history=history, notifications=notifications, workspaces=workspaces,
        dashboards=dashboards,
    )
    sftp = SftpUsers(database=database, history=history, queue=queue, tenants=tenants)
    return Services(
        settings=settings, database=database, history=history, queue=queue, accounts=accounts, sessions=sessions,
        tokens=tokens, members=members, invitations=invitations, flash=flash, vault=vault, credentials=credentials,
        tenants=tenants, stores=stores, points=points, series=series, influx=influx, workspaces=workspaces,
        own_grafanas=own, identities=identities,
        moves=Moves(
            database=database, history=history, queue=queue, tenants=tenants, rooms=workspaces, is_given=own.is_given,
            unread=influx.campaigns if influx is not None else None,
        ),
        dashboards=dashboards, templates=templates, viewer=Viewer(load=dashboards.shown, readers=stores),
        fleet=fleet_of(settings, database=database, history=history, vault=vault, influx=influx, at=workspaces.grafana),
        notifications=notifications, previews=previews, sftp=sftp,
        sftpgo=sftpgo_of(settings, database=database, history=history, queue=queue, users=sftp),
        files=files_of(
            settings, database=database, history=history, queue=queue, tenants=tenants,
            takers=[MeterFiles(points), ReportFiles(FileTables(stores))], summaries=points.meta,
        ),
    )


def _stores(
    settings: Settings, *, database: Database, history: FileHistory, queue: JobQueue, tenants: Tenants,
    credentials: Credentials,
) -> tuple[InfluxPoints | None, Stores]:
    """Make what holds tenants' data: the InfluxDB, where there is one, and their databases."""
    influx = influx_of(
        settings, database=database, history=history, queue=queue, tenants=tenants, credentials=credentials
    )
    stores = Stores(
        database=database, history=history, queue=queue, tenants=tenants, credentials=credentials, settings=settings,
        server=server_of(settings, control_url(settings)), points=[influx] if influx is not None else [],
    )
    return influx, stores


def _workspaces(
    settings: Settings, *, database: Database, history: FileHistory, queue: JobQueue, tenants: Tenants,
    credentials: Credentials, logins: StoreLogins, members: Members, identities: LinkedIdentities,
    publications: Publications,
) -> tuple[Workspaces, OwnGrafanas]:
    """Make the places where tenants look, and what knows of tenants with a Grafana of their own."""
    grafana = grafana_of(
        settings, database=database, credentials=credentials, stores=logins, publications=publications,
        members=members.of_tenant,
    )
    own = OwnGrafanas(
        database=database, credentials=credentials, base=base_of(settings), stores=logins, options=options_of(settings),
        publications=publications, members=members.of_tenant,
    )
    shared = shared_of(settings, _query_gateway(settings, MemberLinks(identities=identities, members=members)))
    made = Workspaces(
        database=database, history=history, queue=queue, tenants=tenants, workspace=ViewerWorkspace(database=database),
        grafana=grafana, team=grafana.sharing(shared) if grafana is not None else None, own=own.of,
        tier=tier_of(settings),
    )
    return made, own


def _query_gateway(settings: Settings, links: MemberLinks) -> QueryGateway | None:
    """Tell workspaces of the gateway, where there is one."""
    if not settings.gateway:
        return None
    secret = secrets_of(settings.gateway_secret, source_of(settings))[0]
    return QueryGateway(gateway_address(settings), PROOF_HEADER, secret, carried, uncarried, links)


def _notifications(
    settings: Settings, *, database: Database, queue: JobQueue, history: FileHistory, credentials: Credentials
) -> Notifications:
    return Notifications(
        database=database, queue=queue, history=history, pictures=settings.path(settings.capture_dir),
        read_credential=credentials.read, open_slack=slack(settings.slack_api_url),
        slack_token=settings.slack_bot_token, slack_channel=settings.slack_channel_id,
    )
