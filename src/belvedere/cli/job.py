"""`belvedere job VERB`: the queue. `belvedere jobs` alone works it off."""

import click

from belvedere.cli import output
from belvedere.cli.installation import jobs as work
from belvedere.cli.local import actor, services


@click.group()
def job() -> None:
    """Jobs: what works, waits and is stuck."""


@job.command("list", epilog="Example: belvedere job list --state failed")
@click.option("--state", type=click.Choice(["waiting", "working", "succeeded", "failed"]), default=None,
              help="In one state.")
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="Most to print.")
def listed(state: str | None, limit: int) -> None:
    """List jobs, the newest first."""
    from belvedere.api.jobs import view

    with services() as built:
        page = built.queue.list(actor(), state=state, limit=limit)
        found = built.queue.overview(actor())
    output.show_list(
        page.items,
        {
            "JOB": lambda one: one.id, "NAME": lambda one: one.name, "KEY": lambda one: one.key,
            "STATE": lambda one: one.state, "TRIES": lambda one: one.attempts,
            "NEXT TRY": lambda one: one.next_try_at, "ENDED": lambda one: one.ended_at,
            "WHAT IS WRONG": lambda one: one.error, "RUNNER": lambda one: one.runner,
        },
        empty="No such jobs.", value=view,
    )
    output.note(f"{found.waiting} waiting, {found.working} working, {found.failed} failed; {found.runners} runners.")


@job.command("try", epilog="Example: belvedere job try 4711")
@click.argument("job_id", metavar="JOB", type=int)
def try_now(job_id: int) -> None:
    """Make a waiting or failed job due at once."""
    with services() as built:
        built.queue.try_now(actor(), job_id)
    output.show({"message": f"Job {job_id} is due now."}, f"Job {job_id} is due now.")


@click.group(invoke_without_command=True, epilog="Example: belvedere jobs")
@click.pass_context
def jobs(context: click.Context) -> None:
    """Work off the queue, alone; any number of these may run. With a verb: look at the queue instead."""
    if context.invoked_subcommand is None:
        context.invoke(work)


jobs.add_command(work, "run")
jobs.add_command(listed)
jobs.add_command(try_now)
