"""psycopg against a running gateway, in text and binary, plain and pipelined. The environment says where."""

import psycopg

ASKED = "select id, ssn from customers order by id"
ANSWER = [(1, "*******6789"), (3, "*******4321")]


def refused(connection, statement):
    try:
        connection.execute(statement)
    except psycopg.Error as error:
        return error.sqlstate
    raise AssertionError(f"not refused: {statement}")


with psycopg.connect(autocommit=True) as connection:
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        assert cursor.execute(ASKED).fetchall() == ANSWER
        # Parameters of several types; None; more than psycopg's threshold for preparing.
        for _ in range(8):
            row = cursor.execute("select ssn from customers where id = %s and region = %s", (3, "EU")).fetchone()
            assert row == ("*******4321",)
        assert cursor.execute("select count(*) from customers where name = %s", (None,)).fetchone() == (0,)
        assert cursor.execute("select created_at from customers where id = %b", (1,)).fetchone()[0].year == 2025
        # A range of rows at a time.
        assert [row for row in cursor.stream(ASKED)] == ANSWER

    cursor = psycopg.ClientCursor(connection)
    assert cursor.execute("select ssn from customers where id = %s", (1,)).fetchone() == ("*******6789",)

    assert refused(connection, "select pg_read_file('PG_VERSION')") == "42501"
    assert refused(connection, "selec 1") == "42601"
    assert connection.execute(ASKED).fetchall() == ANSWER

with psycopg.connect(autocommit=True) as connection:
    # A pipeline: all are sent before the first is answered; one refusal skips the rest up to the next sync.
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("select ssn from customers where id = %s", (id,)) for id in (1, 2, 3)]
        pipeline.sync()
        rows = [cursor.fetchone() for cursor in cursors]
    assert rows == [("*******6789",), None, ("*******4321",)], rows

    try:
        with connection.pipeline():
            connection.execute("select 1")
            connection.execute("select pg_sleep(0)")
            connection.execute("select 2")
        raise AssertionError("a refusal in a pipeline passed")
    except psycopg.Error as error:
        assert error.sqlstate == "42501", error
    assert connection.execute(ASKED).fetchall() == ANSWER

with psycopg.connect() as connection:
    connection.execute(ASKED)
    assert refused(connection, "update customers set notes = 'x'") in ("42501", "0A000")
    assert refused(connection, ASKED) == "25P02"
    connection.rollback()
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("select * from employees_of_the_month")
        except psycopg.errors.UndefinedTable:
            pass
        assert connection.execute(ASKED).fetchall() == ANSWER

# COPY, in text and in binary.
with psycopg.connect(autocommit=True) as connection:
    with connection.cursor().copy("copy customers (id, ssn) to stdout") as copy:
        assert [row for row in copy.rows()] == [("1", "*******6789"), ("3", "*******4321")]
    with connection.cursor().copy("copy (select id, ssn from customers order by id) to stdout (format binary)") as copy:
        copy.set_types(["int4", "bpchar"])
        assert [row for row in copy.rows()] == ANSWER
    try:
        with connection.cursor().copy("copy customers (internal_label) to stdout"):
            raise AssertionError("a hidden column was copied")
    except psycopg.errors.UndefinedColumn:
        pass

# Cursors of the server, with parameters, in both formats.
with psycopg.connect() as connection:
    for binary in (False, True):
        with connection.cursor(f"of {binary}", binary=binary, scrollable=True) as cursor:
            cursor.itersize = 1
            cursor.execute("select id, ssn from customers where id >= %s order by id", (1,))
            assert [column.name for column in cursor.description] == ["id", "ssn"]
            assert list(cursor) == ANSWER
            cursor.scroll(0, mode="absolute")
            assert cursor.fetchone() == ANSWER[0]
            assert cursor.fetchmany(5) == ANSWER[1:]
    try:
        connection.cursor("held", withhold=True).execute("select 1")
        raise AssertionError("a cursor outlived its transaction")
    except psycopg.errors.FeatureNotSupported:
        pass
