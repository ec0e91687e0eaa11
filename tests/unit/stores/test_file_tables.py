"""Rows of files in a tenant's own tables: made, fitted, replaced, and never another's."""

from datetime import UTC, datetime

import psycopg
import pytest

from belvedere.intake.reports.model import Part, Table
from belvedere.kernel.errors import Rejected
from belvedere.stores.model import StoreKind
from belvedere.stores.tables.service import FileTables

AT = datetime(2025, 1, 2, tzinfo=UTC)


def part(columns, *rows: tuple[object, ...], name="paths"):
    return Part(Table("QOR", name, tuple(columns)), [list(column) for column in zip(*rows, strict=True)])


def test_rows_of_a_file_replace_those_that_it_had(world):
    alice = world.tenant("alice")
    tables = FileTables(world.stores)
    first = part([("a", "bigint"), ("b", "text")], (1, "x\ty"), (2, None))
    with world.writer(alice) as flow:
        def rows(name="paths"):
            return flow.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()

        for _ in range(2):
            tables.load(alice.serial, "n/one.csv", AT, iter([first]))
            assert rows() == [(AT, 1, "x\ty", "n/one.csv"), (AT, 2, None, "n/one.csv")]
        # Another file of the same table, with a wider column and one more.
        tables.load(alice.serial, "n/two.csv", AT, iter([
            part([("a", "double precision"), ("c", "boolean")], (1.5, True)),
            part([("a", "double precision"), ("c", "boolean")], (2.5, None)),
        ]))
        assert len(rows()) == 4
        assert flow.execute("SELECT a, c FROM paths WHERE source_file = 'n/two.csv' ORDER BY a").fetchall() == [
            (1.5, True), (2.5, None)]
        tables.load(alice.serial, "n/two.csv", AT, iter([part([("a", "text")], ("many",))]))
        assert flow.execute("SELECT array_agg(a ORDER BY a) FROM paths").fetchone() == (["1", "2", "many"],)

        # A table of the tenant's own is left alone, and what the tenant put on ours is the tenant's own affair.
        flow.execute("CREATE TABLE mine (a bigint)")
        tables.load(alice.serial, "mine.csv", AT, iter([part([("a", "bigint")], (1,), name="mine")]))
        assert rows("mine") == [] and len(rows("mine_files")) == 1
        flow.execute("ALTER TABLE mine_files ADD CHECK (a < 5)")
        with pytest.raises(Rejected, match="refused the rows"):
            tables.load(alice.serial, "more.csv", AT, iter([part([("a", "bigint")], (9,), name="mine")]))
        assert len(rows("mine_files")) == 1
        owner = flow.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'paths'").fetchone()
        assert owner == flow.execute("SELECT current_user").fetchone()
    with world.reader(alice, StoreKind.QOR) as reader, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        reader.execute("DELETE FROM paths")
