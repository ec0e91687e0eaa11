"""The control database on the user's own server."""

import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from belvedere.kernel.control import control_file, control_url, source
from belvedere.kernel.errors import Later, Rejected, Stuck
from belvedere.kernel.secret import Secret
from belvedere.kernel.settings import Settings
from belvedere.node.database import prepare


@pytest.fixture(scope="module")
def cluster(cluster):
    """A server as it was installed: others lock the one that they share down."""
    folder = Path(tempfile.mkdtemp(prefix="belvedere-test-database-", dir=cluster.folder.parent))
    folder.chmod(0o755)
    own = type(cluster)(folder)
    yield own
    own.stop()
    shutil.rmtree(folder)


@pytest.fixture
def server(cluster, tmp_path):
    """The settings of a database that is not there yet, and its end."""
    name = f"own_{uuid4().hex[:8]}"
    settings = Settings(
        home=str(tmp_path), database_url=Secret(cluster.superuser.removesuffix("/postgres") + f"/{name}")
    )
    before = names(cluster)
    yield settings
    for database in names(cluster)[0] - before[0]:
        with psycopg.connect(cluster.superuser, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{database}" IS_TEMPLATE false')
            connection.execute(f'DROP DATABASE "{database}" WITH (FORCE)')
    for role in names(cluster)[1] - before[1]:
        with psycopg.connect(cluster.superuser, autocommit=True) as connection:
            connection.execute(f'DROP OWNED BY "{role}"')
            connection.execute(f'DROP ROLE "{role}"')


def names(cluster) -> tuple[set[str], set[str]]:
    with psycopg.connect(cluster.superuser) as connection:
        databases = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
        return databases, {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}


def test_it_is_made_with_a_role_that_is_no_superuser(server):
    said = []
    url = prepare(server, say=said.append)
    assert any("database own_" in line for line in said)
    with psycopg.connect(url.reveal()) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False, False, True, True)
        assert connection.execute("SELECT count(*) FROM installation").fetchone() == (1,)
    assert control_url(server) == url
    assert control_file(server).stat().st_mode & 0o777 == 0o600


def test_a_second_time_it_does_nothing_and_needs_no_superuser(server, cluster):
    prepare(server)
    said = []
    prepare(server, say=said.append)
    assert said == []
    assert "belvedere_" in control_url(server).reveal()


def test_a_stranger_may_not_connect(server, cluster):
    prepare(server)
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute("CREATE ROLE charlie LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(server.database_url.reveal().replace("postgres@", "charlie@"))


def test_a_database_of_something_else_is_refused(server, cluster):
    name = source(server).rpartition("/")[2]
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    with psycopg.connect(server.database_url.reveal(), autocommit=True) as connection:
        connection.execute("CREATE TABLE users (id int)")
    with pytest.raises(Rejected, match="holds tables of something else, such as users"):
        prepare(server)


def test_another_homes_database_is_refused(server, tmp_path):
    prepare(server)
    other = Settings(home=str(tmp_path / "other"), database_url=server.database_url)
    with pytest.raises(Rejected, match="belongs to another home"):
        prepare(other)


def test_a_login_without_rights_is_refused_with_the_line_to_run(server, cluster):
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute("CREATE ROLE bob LOGIN")
    weak = Settings(
        home=server.home, database_url=Secret(server.database_url.reveal().replace("postgres@", "bob@"))
    )
    with pytest.raises(Rejected, match="bob may not create") as caught:
        prepare(weak)
    assert "CREATEDB CREATEROLE" in caught.value.hint


def test_a_login_with_rights_and_no_superuser_is_used_as_it_is(server, cluster):
    with psycopg.connect(cluster.superuser, autocommit=True) as connection:
        connection.execute("CREATE ROLE alice LOGIN CREATEDB CREATEROLE")
    own = Settings(
        home=server.home, database_url=Secret(server.database_url.reveal().replace("postgres@", "alice@"))
    )
    assert "alice@" in prepare(own).reveal()


def test_the_old_names_of_the_settings_mean_the_same(server, cluster, tmp_path):
    old = Settings(
        home=server.home, master_db_host="127.0.0.1", master_db_port=cluster.port, master_db_user="postgres",
        master_db_name=source(server).rpartition("/")[2],
    )
    assert source(old) == source(server)
    assert prepare(old) == prepare(server)


def test_a_server_that_is_away_is_a_sentence_without_the_password(tmp_path):
    away = Settings(home=str(tmp_path), database_url=Secret("postgresql://bob:hunter2hunter@127.0.0.1:9/belvedere"))
    with pytest.raises(Later, match=r"127\.0\.0\.1:9 does not answer") as caught:
        prepare(away)
    assert "hunter2" not in caught.value.detail
    assert "Connection refused" in caught.value.detail
    assert "Is the server running" not in caught.value.detail


def test_what_is_no_url_is_a_sentence(tmp_path):
    with pytest.raises(Rejected, match="must be a URL"):
        prepare(Settings(home=str(tmp_path), database_url=Secret("host=127.0.0.1 dbname=x")))


def test_an_installation_that_is_not_there_is_a_sentence(tmp_path):
    with pytest.raises(Stuck, match="There is no installation") as caught:
        control_url(Settings(home=str(tmp_path)))
    assert caught.value.hint == "belvedere up"
