"""Tokens of the mask `hash` through psycopg: the same by every road. Run by the tests of the repository."""

import sys

import psycopg

EXPECTED = sys.argv[1]
ASKED = "select mail from contacts where id = %s and mail = %s"

with psycopg.connect("", autocommit=True) as connection:
    for binary in (False, True):
        for prepare in (False, True):
            for _ in range(8):
                row = connection.execute(ASKED, (1, EXPECTED), binary=binary, prepare=prepare).fetchone()
                assert row == (EXPECTED,), row
    with connection.transaction():
        assert connection.execute(ASKED, (1, EXPECTED)).fetchone() == (EXPECTED,)
    with connection.pipeline():
        cursors = [connection.execute(ASKED, (1, EXPECTED)) for _ in range(5)]
    assert all(cursor.fetchone() == (EXPECTED,) for cursor in cursors)
    # Values as literals, in the simple protocol.
    with psycopg.ClientCursor(connection) as cursor:
        assert cursor.execute(ASKED, (1, EXPECTED)).fetchone() == (EXPECTED,)
        cursor.execute("select 1; select mail from contacts where id = 1")
        assert cursor.nextset() and cursor.fetchone() == (EXPECTED,)
