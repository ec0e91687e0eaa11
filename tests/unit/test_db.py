"""The control database's second fence."""

from belvedere.kernel.db import Database


def test_a_forgotten_where_shows_only_the_tenants_rows(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("CREATE TABLE note (tenant_id bigint NOT NULL, body text)")
        connection.execute("SELECT fence_tenant_table('note')")
        connection.execute("INSERT INTO note VALUES (1, 'alice'), (2, 'charlie')")
    with database.tenant_transaction(1) as connection:
        assert [row["body"] for row in connection.execute("SELECT body FROM note")] == ["alice"]
    with database.transaction() as connection:
        assert len(connection.execute("SELECT body FROM note").fetchall()) == 2
