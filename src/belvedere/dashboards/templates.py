"""Templates that people bring from Grafana: kept, chosen for dashboards, taken from a hand-changed one, handed out.

They are drawn in Grafana only; the built-in viewer and the decision what a table is stay with the catalogue. What is
not here: reading and filling such a file (`grafana_json.py`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from belvedere.audit.model import History
from belvedere.dashboards import grafana_json, store
from belvedere.dashboards.model import Dashboard
from belvedere.dashboards.own import store as own_store
from belvedere.dashboards.own.store import OwnTemplate
from belvedere.dashboards.points.forms import PointForms
from belvedere.dashboards.template import find
from belvedere.dashboards.to_grafana import Document, to_grafana
from belvedere.jobs.model import Queue
from belvedere.kernel.actor import Actor, Role
from belvedere.kernel.db import Connection, Database
from belvedere.kernel.errors import NotFound, Rejected
from belvedere.kernel.ids import new_id
from belvedere.workspaces.model import Model
from belvedere.workspaces.port import Publication

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?")


class Workspaces(Protocol):
    """What templates ask of the workspaces room."""

    def grafana_document(self, serial: int, dashboard_id: UUID) -> Mapping[str, Any]:
        """Return a dashboard as it stands in the tenant's Grafana, or raise NotFound."""
        ...

    def resolve(self, actor: Actor, serial: int, dashboard_id: UUID, *, ours: bool) -> None:
        """Choose for a dashboard that somebody changed by hand."""
        ...


class Dashboards(Protocol):
    """What templates ask of the dashboards."""

    def get(self, actor: Actor, dashboard_id: UUID | str) -> Dashboard:
        """Find one, or raise NotFound."""
        ...


class GrafanaTemplates:
    """Dashboards of Grafana as templates."""

    def __init__(
        self, *, database: Database, history: History, queue: Queue, dashboards: Dashboards, workspaces: Workspaces
    ) -> None:
        """Take what it needs."""
        self._database = database
        self._history = history
        self._queue = queue
        self._dashboards = dashboards
        self._workspaces = workspaces

    def list(self, actor: Actor) -> list[OwnTemplate]:
        """Return the templates that were brought in, by name."""
        actor.must(Role.OPERATOR)
        with self._database.transaction() as connection:
            return own_store.listed(connection)

    def bring(self, actor: Actor, data: bytes, *, name: str = "", stands_for: str = "") -> OwnTemplate:
        """Keep an export of Grafana as a template, or a new version of the one of that name.

        Args:
            actor: who; an operator, since it is drawn for every tenant.
            data: the file.
            name: what it is called; empty: made of the dashboard's title.
            stands_for: a template of the catalogue; every table that it recognises is drawn by this one in Grafana.

        Raises:
            Rejected: the file cannot be taken; the sentence says why.
        """
        actor.must(Role.OPERATOR)
        return self._keep(actor, grafana_json.read(data), name, stands_for)

    def remove(self, actor: Actor, name: str) -> None:
        """Forget a template; its dashboards are drawn by the catalogue again."""
        actor.must(Role.OPERATOR)
        with self._history.action(actor, "template.remove", name[:60]), self._database.transaction() as connection:
            found = self._named(connection, name)
            tenants = own_store.users(connection, found.id, found.stands_for)
            own_store.remove(connection, found.id)
            self._redraw(connection, tenants)

    def choose(self, actor: Actor, dashboard_id: UUID | str, name: str) -> None:
        """Draw one dashboard by a template; an empty name gives it back to the catalogue."""
        shown = self._dashboards.get(actor, dashboard_id)
        actor.must(Role.OPERATOR, shown.tenant_id)
        with (
            self._history.action(actor, "template.choose", shown.title, tenant=shown.tenant_id, template=name[:60]),
            self._database.transaction() as connection,
        ):
            found = self._named(connection, name).id if name else None
            own_store.choose(connection, shown.tenant_id, shown.id, found)
            self._redraw(connection, [shown.tenant_id])

    def take_theirs(
        self, actor: Actor, dashboard_id: UUID | str, *, name: str = "", stands_for: str = ""
    ) -> OwnTemplate:
        """Make the template of what a person made of a dashboard in Grafana, and draw that dashboard by it.

        Raises:
            NotFound: it does not stand in a Grafana.
            Rejected: what they made cannot be a template; the sentence says why.
        """
        shown = self._dashboards.get(actor, dashboard_id)
        actor.must(Role.OPERATOR, shown.tenant_id)
        theirs = self._workspaces.grafana_document(shown.tenant_id, shown.id)
        template = grafana_json.check(grafana_json.generalised(theirs, self._model(shown.id)))
        made = self._keep(actor, template, name, stands_for)
        self.choose(actor, shown.id, made.name)
        # What stands there is what is wanted now, so that writing ours again loses nothing.
        self._workspaces.resolve(actor, shown.tenant_id, shown.id, ours=True)
        return made

    def export(self, actor: Actor, dashboard_id: UUID | str) -> Document:
        """Hand out a dashboard in the form that any Grafana imports by hand."""
        shown = self._dashboards.get(actor, dashboard_id)
        with self._database.transaction() as connection:
            form = own_store.drawn_by(connection, shown.tenant_id)
        model = self._model(shown.id)
        document = _form_of(form, shown.id, model)
        template = grafana_json.check(document) if document else None
        return grafana_json.export(model, shown.id, template)

    def _keep(self, actor: Actor, template: grafana_json.GrafanaTemplate, name: str, stands_for: str) -> OwnTemplate:
        name = name or _name_of(template.title)
        if not _NAME.fullmatch(name):
            message = "Use lower-case letters, digits and hyphens, at most 50: `timing-of-ours`."
            raise Rejected(message, field="name")
        if find(name) is not None:
            message = f"`{name}` is a template of the catalogue. Choose another name."
            raise Rejected(message, field="name")
        if stands_for and find(stands_for) is None:
            message = f"There is no template `{stands_for[:60]}` in the catalogue."
            raise Rejected(message, field="stands_for")
        with (
            self._history.action(actor, "template.import", name, panels=template.panels, stands_for=stands_for),
            self._database.transaction() as connection,
        ):
            made = own_store.put(
                connection, new_id(), name=name, title=template.title, document=template.document,
                stands_for=stands_for, by=actor.name)
            self._redraw(connection, own_store.users(connection, made, stands_for))
            return self._named(connection, name)

    def _named(self, connection: Connection, name: str) -> OwnTemplate:
        found = own_store.get(connection, name)
        if found is None:
            message = f"There is no template `{name[:60]}` that was brought in."
            raise NotFound(message)
        return found

    def _redraw(self, connection: Connection, tenants: Sequence[int]) -> None:
        for serial in tenants:
            self._queue.enqueue(connection, "workspaces.provision", str(serial))

    def _model(self, dashboard_id: UUID) -> Model:
        with self._database.transaction() as connection:
            found = store.drawn(connection, dashboard_id)
        if found is None:
            raise NotFound
        return found[2]


def _name_of(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50].strip("-")


def _form_of(forms: Mapping[str, Document], dashboard_id: UUID, model: Model) -> Document | None:
    return forms.get(str(dashboard_id)) or forms.get(model.template)


def publications(
    connection: Connection, tenant: int, found: Sequence[tuple[UUID, UUID, Model]], points: PointForms | None = None
) -> list[Publication]:
    """Write dashboards of one tenant in both forms. A store's id stands for its data source, which Grafana names.

    What stands in an InfluxDB is written as `points` says, whatever template a person brought: those ask PostgreSQL.
    """
    forms = own_store.drawn_by(connection, tenant)
    draw = points.draw(tenant) if points is not None and found else None
    made = []
    for dashboard_id, store_id, model in found:
        drawn = draw(dashboard_id, store_id, model) if draw is not None else None
        if drawn is not None:
            made.append(Publication(dashboard_id, store_id, model, drawn, in_viewer=False))
            continue
        form = _form_of(forms, dashboard_id, model)
        if form is None:
            document = to_grafana(model, dashboard_id, datasource=f"{store_id}")
        else:
            document = grafana_json.fill(grafana_json.check(form), model, dashboard_id, datasource=f"{store_id}")
        made.append(Publication(dashboard_id, store_id, model, document))
    return made
