"""`belvedere upload VERB`: files that came in, and sending some."""

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from belvedere.cli import output
from belvedere.cli.local import actor, services
from belvedere.cli.tenant import serial_of

if TYPE_CHECKING:
    from belvedere.app import Services
    from belvedere.intake.model import Upload

_STATES = ("receiving", "received", "reading", "stored", "parsed", "refused", "waiting", "left", "gone")


@click.group()
def upload() -> None:
    """Uploads: files that came in, each with its report."""


@upload.command("list", epilog="Example: belvedere uploads --tenant acme --state refused --jsonl")
@click.option("--tenant", default="", help="Of one tenant: name, slug or number.")
@click.option("--campaign", default="", help="Of one campaign, by its id.")
@click.option("--state", type=click.Choice(_STATES), default=None, help="In one state.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Most to print.")
def listed(tenant: str, campaign: str, state: str | None, limit: int) -> None:
    """List uploads, the newest first."""
    if state == "receiving":
        _coming(tenant, limit)
        return
    with services() as built:
        serial = serial_of(built, tenant) if tenant else None
        page = built.uploads.list(actor(), tenant=serial, campaign=campaign or None, state=state or "", limit=limit)
        names = {one: built.tenants.get(actor(), one).name for one in {one.tenant_id for one in page.items}}
        total = None if campaign or state else built.uploads.totals(actor(), tenant=serial).files
    from belvedere.api.uploads import view

    output.show_list(
        page.items,
        {
            "FILE": lambda one: one.name, "TENANT": lambda one: names[one.tenant_id],
            "CAMPAIGN": lambda one: one.campaign, "DEVICE": lambda one: one.device, "STATE": lambda one: str(one.state),
            "ROWS": lambda one: one.rows, "SKIPPED": lambda one: one.skipped, "POINTS": lambda one: one.points,
            "ID": lambda one: one.id, "WHAT IS WRONG": lambda one: one.error,
        },
        empty="No file has come yet. Send one: belvedere upload put FILE --tenant NAME --campaign NAME --device SERIAL",
        total=total, value=lambda one: view(one, names[one.tenant_id]),
    )


def _coming(tenant: str, limit: int) -> None:
    from belvedere.api.uploads import on_its_way

    with services() as built:
        page = built.resumable.list(actor(), tenant=serial_of(built, tenant) if tenant else None, limit=limit)
        names = {one: built.tenants.get(actor(), one).name for one in {one.tenant_id for one in page.items}}
        chunk_bytes = built.resumable.chunk_bytes
    output.show_list(
        page.items,
        {
            "FILE": lambda one: one.path, "TENANT": lambda one: names[one.tenant_id],
            "CAME": lambda one: f"{one.received_bytes:,} of {one.size_bytes:,} bytes", "BY": lambda one: one.begun_by,
            "LAST PART": lambda one: one.touched_at, "ID": lambda one: one.id,
        },
        empty="No file is on its way over HTTP.",
        value=lambda one: on_its_way(one, names[one.tenant_id], chunk_bytes),
    )  # fmt: skip


@upload.command(epilog="Example: belvedere upload cancel 01a20150-...")
@click.argument("upload_id", metavar="ID", type=click.UUID)
def cancel(upload_id: UUID) -> None:
    """Drop a file on its way over HTTP. Those there are: belvedere uploads --state receiving."""
    with services() as built:
        built.resumable.cancel(actor(), upload_id)
    output.show({"id": upload_id, "state": "dropped"}, "Dropped, with all that came of it.")


@upload.command(epilog="Example: belvedere upload show 01a20150-... --json | jq .report.channels")
@click.argument("upload_id", metavar="ID", type=click.UUID)
def show(upload_id: UUID) -> None:
    """Show one upload with what was read of it."""
    with services() as built:
        found = built.uploads.get(actor(), upload_id)
        name = built.tenants.get(actor(), found.tenant_id).name
    _show(found, name)


def _show(found: "Upload", tenant: str) -> None:
    from belvedere.api.uploads import whole

    output.show(whole(found, tenant), lambda: _whole(found, tenant))


def _whole(found: "Upload", tenant: str) -> None:
    report = found.report or {}
    output.facts({
        "file": f"{tenant}/{found.path}", "state": str(found.state), "lies in": found.moved_to,
        "what is wrong": found.error, "rows": found.rows, "skipped": found.skipped, "points": found.points,
        "measured": f"{found.first_at:%Y-%m-%d %H:%M} to {found.last_at:%Y-%m-%d %H:%M} UTC"
        if found.first_at and found.last_at else None,
        "clock lost": f"{found.lost_clock} rows" if found.lost_clock else None,
        "format": report.get("format"), "version": found.version, "sha256": found.sha256,
        "received": found.received_at, "done": found.ended_at,
    })
    print_channels(report)


def print_channels(report: Any) -> None:  # noqa: ANN401  (a report)
    """Print what a report says of channels, and of what was not stored."""
    channels = report.get("channels") or {}
    if channels:
        click.echo()
        output.table(
            ["CHANNEL", "UNIT", "VALUES", "LEAST", "MEAN", "GREATEST", "GAPS"],
            [[name, one["channel_unit"], one["nb_points"], one["min"],
              None if one["mean"] is None else f"{one['mean']:.6g}", one["max"], one["nb_gaps"]]
             for name, one in channels.items()],
        )
    skipped = [one for one in [*(report.get("skipped_rows") or []), *(report.get("skipped_values") or [])]
               if "total" in one]
    if skipped:
        click.echo()
        output.table(["NOT STORED", "HOW MANY", "FIRST LINES"],
                     [[one["reason"], one["total"], ", ".join(map(str, one["first_lines"]))] for one in skipped])


@upload.command(epilog="Example: belvedere upload retry 01a20150-...")
@click.argument("upload_id", metavar="ID", type=click.UUID)
def retry(upload_id: UUID) -> None:
    """Have a file read again that was refused, waits or was left."""
    with services() as built:
        found = built.uploads.try_again(actor(), upload_id)
        name = built.tenants.get(actor(), found.tenant_id).name
    _show(found, name)


@upload.command(epilog="Example: belvedere upload put T302_*.tsv --tenant acme --campaign camp_base --device 02001283")
@click.argument("files", metavar="FILE...", nargs=-1, required=True,
                type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--tenant", required=True, help="Whose they are: name, slug or number.")
@click.option("--campaign", required=True, help="The campaign's folder; a new one makes a campaign.")
@click.option("--device", default="", help="The device's folder in it. A meter's file needs one.")
def put(files: tuple[Path, ...], tenant: str, campaign: str, device: str) -> None:
    """Send files. After a break the same command goes on where it stopped."""
    sent = []
    with services() as built:
        serial = serial_of(built, tenant)
        for file in files:
            sent.append(_put(built, serial, file, campaign, device))
            output.note(f"{file.name}: sent")
    output.show({"items": [{"id": one.id, "path": one.path, "size_bytes": one.size_bytes} for one in sent]},
                f"{len(sent)} sent. What becomes of them: belvedere uploads --tenant {tenant}")


def _put(built: "Services", serial: int, file: Path, campaign: str, device: str) -> Any:  # noqa: ANN401  (a sending)
    found = file.stat()
    doing = built.resumable
    sending = doing.begin(
        actor(), tenant=serial, campaign=campaign, device=device, name=file.name, size=found.st_size,
        key=f"{found.st_size}-{found.st_mtime_ns}",
    )
    with file.open("rb") as stream:
        stream.seek(sending.received_bytes)
        while sending.done_at is None:
            part = stream.read(doing.chunk_bytes)
            sending = doing.append(actor(), sending.id, offset=sending.received_bytes, data=part,
                                   checksum=f"crc32:{zlib.crc32(part):08x}")
    return sending
