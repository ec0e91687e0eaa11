"""Folders and campaigns: made, renamed and deleted from either side; what cannot be one is said."""

import os
import shutil

import pytest

from belvedere.intake.model import Happening, Via
from belvedere.kernel.actor import SYSTEM, Actor, Role
from belvedere.kernel.db import Database
from belvedere.kernel.errors import Conflict, NotFound, Rejected
from belvedere.kernel.settings import Settings
from belvedere.node import doctor
from intake_world import World, meter


def names(world: World, state: str = "active") -> list[str]:
    return sorted(one.name for one in world.files.campaigns.list(SYSTEM, tenant=world.serial, state=state).items)


def settle(world: World) -> None:
    """Run the jobs that campaigns asked for."""
    for name, key in world.jobs():
        if name == "intake.settle-campaign":
            world.files.campaigns.settle(key)


def test_a_folder_makes_a_campaign_and_the_store_is_made_ready_before_any_file(world: World) -> None:
    (world.home / "camp").mkdir()
    world.files.intake.notice("acme", "camp", Happening.MADE, via=Via.SFTPGO)
    world.take()
    assert names(world) == ["camp"]
    settle(world)
    assert (world.serial, "camp") in world.points.points
    (campaign,) = world.files.campaigns.list(SYSTEM, tenant="acme").items
    assert campaign.prepared_at
    # Not the device's level, and not what is done or hidden.
    for folder in ("camp/02001084", "camp/parsed", "parsed", ".x", ".belvedere-deleted"):
        (world.home / folder).mkdir()
    world.look()
    assert names(world) == ["camp"]


def test_what_cannot_be_a_campaign_is_said_and_its_files_stay(world: World) -> None:
    for name in (" blank", "new\nline", "x" * 120):
        world.put(f"{name}/1/a.tsv", meter())
    (world.home / os.fsdecode(b"\xff")).mkdir()
    world.take()
    assert names(world) == []
    assert {one.code for one in world.files.intake.troubles(SYSTEM, tenant="acme")} == {"campaign-name"}
    assert len(world.files.intake.troubles(SYSTEM, tenant="acme")) == 4
    assert {str(one.state) for one in world.uploads()} == {"left"}
    (world.home / " blank").rename(world.home / "good")
    world.look()
    world.clock.ahead += world.clock.ahead.resolution * 60_000_000
    world.take()
    assert world.states()["good/1/a.tsv"] == "parsed"
    assert len(world.files.intake.troubles(SYSTEM, tenant="acme")) == 3


def test_a_renamed_folder_is_the_same_campaign_with_its_points(world: World) -> None:
    world.put("camp/1/a.tsv", meter())
    world.take()
    (before,) = world.files.campaigns.list(SYSTEM, tenant="acme").items
    (world.home / "camp").rename(world.home / "plant")
    world.look()
    settle(world)
    (after,) = world.files.campaigns.list(SYSTEM, tenant="acme", state="").items
    assert (after.id, after.name, after.points) == (before.id, "plant", 6)
    assert len(world.points.seen(world.serial, "plant")) == 6
    assert world.points.seen(world.serial, "camp") == {}
    (upload,) = world.uploads()
    assert (upload.path, upload.moved_to) == ("plant/1/a.tsv", "plant/1/parsed/a.tsv")
    assert world.files.uploads.head(SYSTEM, upload.id)


def test_another_folder_with_the_number_of_one_that_is_gone_is_another_campaign(world: World) -> None:
    world.put("camp/1/a.tsv", meter())
    world.take()
    known_by = (world.home / "camp").stat()
    shutil.rmtree(world.home / "camp")
    (world.home / "other").mkdir()
    with world.database.transaction() as connection:
        found = (world.home / "other").stat()
        connection.execute("UPDATE campaign SET folder = %s", [f"{found.st_dev:x}:{found.st_ino:x}"])
    assert known_by
    world.look()
    assert (names(world), names(world, "deleted")) == (["other"], ["camp"])


def test_a_deleted_folder_keeps_the_data_and_comes_back_with_it(world: World) -> None:
    world.put("camp/1/a.tsv", meter())
    world.take()
    shutil.rmtree(world.home / "camp")
    world.look()
    settle(world)
    assert (names(world), names(world, "deleted")) == ([], ["camp"])
    assert world.points.seen(world.serial, "camp") == {}
    world.put("camp/1/b.tsv", meter(1, first=100))
    world.take()
    assert (names(world), names(world, "deleted")) == (["camp"], [])
    assert len(world.points.seen(world.serial, "camp")) == 8


def test_people_rename_and_delete_a_campaign(world: World) -> None:
    world.put("camp/1/a.tsv", meter())
    world.put("taken/1/a.tsv", meter())
    world.take()
    campaigns = world.files.campaigns
    camp = next(one for one in campaigns.list(SYSTEM, tenant="acme").items if one.name == "camp")
    for bad in ("", " ", "a/b", "..", ".x", "parsed", "x" * 200):
        with pytest.raises(Rejected):
            campaigns.rename(SYSTEM, camp.id, bad)
    with pytest.raises(Conflict):
        campaigns.rename(SYSTEM, camp.id, "taken")
    assert campaigns.rename(SYSTEM, camp.id, "plant").name == "plant"
    world.look()
    settle(world)
    assert (names(world), len(world.points.seen(world.serial, "plant"))) == (["plant", "taken"], 6)
    with pytest.raises(Rejected):
        campaigns.delete(SYSTEM, camp.id, confirm="camp")
    campaigns.delete(SYSTEM, camp.id, confirm="plant")
    world.look()
    settle(world)
    assert names(world) == ["taken"]
    assert ".belvedere-deleted/plant/1/parsed/a.tsv" in world.lying()
    charlie = Actor("charlie", Role.OWNER, tenant=world.serial + 1)
    with pytest.raises(NotFound):
        campaigns.get(charlie, camp.id)
    assert [one.name for one in campaigns.list(charlie).items] == []
    with pytest.raises(NotFound):
        world.files.uploads.get(charlie, world.uploads()[0].id)
    assert world.files.uploads.list(charlie).items == []


def test_a_folder_of_no_tenant_is_left_alone_and_shown_to_operators(world: World) -> None:
    (world.root / "stranger" / "camp" / "1").mkdir(parents=True)
    (world.root / "stranger" / "camp" / "1" / "a.tsv").write_text(meter())
    noted = world.files.intake.notice("stranger", "camp/1/a.tsv", Happening.CLOSED, via=Via.SFTPGO, key="1")
    assert (noted.new, noted.strangers) == (0, ("stranger",))
    noted = world.files.intake.notice("\udcff", "a", Happening.MADE, via=Via.COMMAND)
    assert noted.strangers == ("\\xff",), "one that is no text does not keep the others from being noted"
    world.files.intake.look_all("")
    assert [(one.path, one.code) for one in world.files.intake.troubles(SYSTEM)] == [("stranger", "stranger")]
    assert world.files.intake.troubles(Actor("alice", Role.OWNER, tenant=world.serial)) == []
    assert (world.root / "stranger" / "camp" / "1" / "a.tsv").exists()
    assert [one.name for one in world.tenants.list(SYSTEM).items] == ["acme"]


@pytest.mark.parametrize("keep_data", [False, True])
def test_a_tenant_that_goes_takes_its_folder_along_unless_its_data_are_kept(world: World, *, keep_data: bool) -> None:
    outside = world.root.parent / "outside"
    outside.mkdir()
    (outside / "x").write_text("x")
    world.put("camp/1/a.tsv", meter())
    world.take()
    (world.home / "link").symlink_to(outside)
    world.tenants.delete(SYSTEM, "acme", confirm="acme", keep_data=keep_data)
    world.take()
    world.files.intake.remove_tenant(str(world.serial))
    world.files.intake.remove_tenant(str(world.serial))
    assert not world.home.exists(), "a tenant of that name made later would find it"
    assert (world.root / f".belvedere-kept-{world.serial}" / "camp").exists() is keep_data
    with pytest.raises(Rejected, match="own folders"):
        world.tenants.create(SYSTEM, f".belvedere-kept-{world.serial}")
    assert (outside / "x").exists()
    assert world.files.uploads.list(SYSTEM).items == []
    assert ("previews.remove-tenant", str(world.serial)) in world.jobs()


def test_doctor_names_a_folder_of_no_tenant(world: World, database: Database) -> None:
    (world.root / "stranger").mkdir()
    world.files.intake.look_all("")
    settings = Settings(home=str(world.root.parent), database_url=database.url)
    said = [(one.state, one.found) for one in doctor._files(settings)]
    assert said[0] == ("ready", str(world.root))
    assert said[1][0] == "partial"
    assert "stranger" in said[1][1]
