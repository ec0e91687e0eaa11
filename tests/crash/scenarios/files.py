"""Files that come in: taken, refused, tried again; campaigns renamed and deleted; a tenant that goes with its files."""

import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from life import ensure, quiet

from belvedere.intake.model import Happening, Notice, UploadState, Via
from belvedere.kernel.actor import SYSTEM
from belvedere.kernel.errors import NotFound, Rejected

COVERS = (
    "intake.notice.before-commit", "intake.look.before-commit", "intake.campaigns.before-commit",
    "intake.campaigns.prepared", "intake.campaigns.renamed", "intake.campaigns.folder-renamed",
    "intake.campaigns.folder-aside", "intake.take.claimed", "intake.storing.before-commit", "intake.take.stored",
    "intake.move.renamed", "intake.take.before-end", "intake.take.end-before-commit", "intake.take.moved",
    "intake.report.written", "intake.campaigns.folder-made", "stores.tables.before-commit",
    "intake.take.brought-back", "intake.remove-tenant.folder-gone",
    "dashboards.renew.followed", "dashboards.renew.before-commit", "dashboards.rename.before-commit",
)
ENVIRONMENT = {"BELVEDERE_INTAKE_STILL_S": "0", "BELVEDERE_INTAKE_LOOK_S": "1", "BELVEDERE_DATA_ROOT": "data"}

SENT = {
    "camp/1/a.tsv": "02001084\t02001084\nMV_T302_V002\tPh 1 V\n05/01/26 10:00:00\t230\n",
    "camp/1/b.tsv": "02001084\t02001084\nMV_T302_V002\tPh 1 V\n05/01/26 11:00:00\t231\n",
    "camp/1/bad.tsv": "nothing of the kind\n",
    "old/table.csv": "a,b\n1,2\n3,4\n",
    "old/1/c.tsv": "02001084\t02001084\nMV_T302_V002\tPh 1 V\n05/01/26 12:00:00\t232\n",
}

LATE = "camp/1/late.tsv"


def act(world: Any) -> None:
    """Send files, have one tried again, rename one campaign and delete another, delete a tenant."""
    services = world.services
    with world.working():
        acme = ensure(world, "acme")
        home = services.intake.root.path / "acme"
        for path, text in SENT.items():
            world.once(path.replace("/", "-"), lambda path=path, text=text: send(home / path, text))
        services.intake.notice_all([
            Notice("acme", path, Happening.CLOSED, Via.SFTP, key=path) for path in SENT
        ])
        world.wait(lambda: ended(world, acme) >= len(SENT), "all files are done")
        (refused,) = services.uploads.list(SYSTEM, tenant=acme.serial, text="bad.tsv").items[:1]
        world.once("again", lambda: again(services, refused))
        world.wait(lambda: ended(world, acme) >= len(SENT), "the one tried again is done")
        renewed(world, acme, home)
        services.campaigns.make(SYSTEM, acme.serial, "made")
        rename(services, acme)
        world.wait(lambda: board(services, acme, "plant"), "the dashboard of the campaign by its new name")
        delete(services, acme)
        going = None if (world.home / "did-go") .exists() else ensure(world, "going")
        if going is not None:
            send(services.intake.root.path / "going/camp/1/a.tsv", SENT["camp/1/a.tsv"])
            world.wait(lambda: ended(world, going) == 1, "the file of the tenant that goes")
            with suppress(NotFound):
                services.tenants.delete(SYSTEM, "going", confirm="going")
            world.once("go", lambda: None)
        world.wait(lambda: gone(services), "the tenant is gone")
        world.wait(lambda: quiet(world), "the queue is empty")


def check(world: Any) -> None:
    """Each file once where it belongs, each told of in one report of its last run, every point there once."""
    services = world.services
    acme = services.tenants.get(SYSTEM, "acme")
    home = services.intake.root.path / "acme"
    lying = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    assert lying == [
        ".belvedere-deleted/old/1/parsed/c.tsv", ".belvedere-deleted/old/parsed/table.csv", "plant/1/error/bad.tsv",
        "plant/1/parsed/a.tsv", "plant/1/parsed/b.tsv", "plant/1/parsed/late.tsv",
    ], lying
    uploads = services.uploads.list(SYSTEM, tenant=acme.serial, limit=200).items
    assert Counter(one.name for one in uploads) == Counter(Path(path).name for path in (*SENT, LATE)), uploads
    assert {one.name: str(one.state) for one in uploads} == {
        "a.tsv": "parsed", "b.tsv": "parsed", "bad.tsv": "refused", "c.tsv": "parsed", "table.csv": "parsed",
        "late.tsv": "parsed",
    }
    assert not any(one.same_as for one in uploads)
    told = Counter(
        file["upload_id"] for report in services.settings.path("reports").glob("tsv_parser_*.json")
        for file in json.loads(report.read_text())["files"]
    )
    for one in uploads:
        # A file that was tried again has had two runs.
        assert told[str(one.id)] == (2 if one.name == "bad.tsv" else 1), (one.name, told)
    assert {one.name for one in services.campaigns.list(SYSTEM, tenant=acme.serial).items} == {"plant", "made"}
    qor = next(one for one in services.stores.of_tenant(acme.serial) if one.kind == "QOR")
    with services.stores.reader(qor.id) as reader:
        found = reader.execute("SELECT array_agg(a ORDER BY a) AS a FROM public.old_table").fetchone()
    assert found is not None and found["a"] == [1, 3]
    with services.database.transaction() as connection:
        left = connection.execute(
            "SELECT (SELECT count(*) FROM intake_run WHERE ended_at IS NULL) "
            "+ (SELECT count(*) FROM campaign WHERE points_under IS NOT NULL) AS n"
        ).fetchone()
    assert left is not None and left["n"] == 0
    # It is the one that it was, whatever its campaign is called.
    assert str(board(services, acme, "plant").id) == (world.home / "board").read_text()
    assert not (services.intake.root.path / "going").exists()
    assert services.history.verify().ok


def send(file: Path, text: str) -> None:
    """Put a file in its place whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(text)
    part.rename(file)


def ended(world: Any, tenant: Any) -> int:
    """Count the files that are done, and told of."""
    totals = world.services.uploads.totals(SYSTEM, tenant=tenant.serial).by_state
    with world.services.database.transaction() as connection:
        row = connection.execute("SELECT count(*) AS n FROM intake_run WHERE ended_at IS NULL").fetchone()
    if row is None or row["n"]:
        return 0
    return sum(totals.get(state, 0) for state in (UploadState.PARSED, UploadState.REFUSED))


def again(services: Any, upload: Any) -> None:
    """Have a refused file tried again, unless a run before has begun that."""
    with suppress(Rejected):
        services.uploads.try_again(SYSTEM, upload.id)


def board(services: Any, tenant: Any, *names: str) -> Any:
    """Find the dashboard of a campaign that is ready."""
    found = services.dashboards.list(SYSTEM, tenant=tenant.serial).items
    return next((one for one in found if one.table in names and one.state == "ready"), None)


def renewed(world: Any, tenant: Any, home: Path) -> None:
    """Send a file to a campaign that has its dashboard already, and wait until that shows it."""
    services = world.services
    found = world.wait(lambda: board(services, tenant, "camp", "plant"), "the dashboard of the campaign")
    world.once("see", lambda: (world.home / "board").write_text(str(found.id)))
    world.once("late", lambda: send(home / LATE, SENT["camp/1/a.tsv"].replace("10:00", "13:00")))
    services.intake.notice_all([Notice("acme", LATE, Happening.CLOSED, Via.SFTP, key=LATE)])
    world.wait(lambda: ended(world, tenant) == len(SENT) + 1, "the late file is done")
    world.wait(lambda: shows_newest(services, tenant), "a dashboard with the newest values")


def shows_newest(services: Any, tenant: Any) -> bool:
    """Tell whether the campaign's dashboard was drawn anew; while that is done it is not ready."""
    found = board(services, tenant, "camp", "plant")
    return found is not None and found.renewed_at is not None


def rename(services: Any, tenant: Any) -> None:
    """Call the campaign otherwise."""
    for one in services.campaigns.list(SYSTEM, tenant=tenant.serial).items:
        if one.name == "camp":
            services.campaigns.rename(SYSTEM, one.id, "plant")


def delete(services: Any, tenant: Any) -> None:
    """Delete a campaign."""
    for one in services.campaigns.list(SYSTEM, tenant=tenant.serial).items:
        if one.name == "old":
            services.campaigns.delete(SYSTEM, one.id, confirm="old")


def gone(services: Any) -> bool:
    """Tell whether the tenant that goes is gone."""
    try:
        services.tenants.get(SYSTEM, "going")
    except NotFound:
        return True
    return False
