"""psycopg's server cursors, COPY and type lookups, and those of psycopg2. The environment says where."""

import io

import psycopg
import psycopg2
from psycopg.types import TypeInfo
from psycopg.types.enum import EnumInfo
from psycopg.types.range import RangeInfo
from psycopg2.extras import HstoreAdapter

from told import tell


def described(cursor):
    return [(column.name, column.type_code) for column in cursor.description]


with psycopg.connect() as connection:

    def by_pieces():
        with connection.cursor(name="orders") as cursor:
            cursor.execute("select id from orders order by id limit 20")
            return cursor.fetchone(), cursor.fetchmany(3), len(cursor.fetchall())

    def scrolled():
        with connection.cursor(name="scrolled", scrollable=True) as cursor:
            cursor.itersize = 3
            cursor.execute("select * from customers where id < %s order by id", (50,))
            rows = list(cursor)
            cursor.scroll(0, mode="absolute")
            first = cursor.fetchmany(1)
            cursor.scroll(-1)
            return described(cursor), rows, first, cursor.fetchone()

    def binary():
        with connection.cursor(name="binary", binary=True) as cursor:
            cursor.execute("select id, ssn, created_at from customers order by id")
            return cursor.fetchmany(2), described(cursor)

    def two_at_once():
        with connection.cursor(name="one") as one, connection.cursor(name="two") as two:
            one.execute("select id from orders order by id limit 4")
            two.execute("select id from customers order by id")
            return one.fetchone(), two.fetchone(), one.fetchall(), two.fetchall()

    def copied(statement):
        def run():
            with connection.cursor().copy(statement) as copy:
                return b"".join(bytes(block) for block in copy).decode()

        return run

    tell("by pieces", by_pieces)
    tell("scrolled", scrolled)
    tell("binary", binary)
    tell("two at once", two_at_once)
    tell("copy a query", copied("copy (select id, name from customers order by id) to stdout"))
    tell("copy a table", copied("copy customers to stdout (format csv, header)"))
    tell("copy columns", copied("copy customers (id, ssn) to stdout"))
    connection.commit()
    tell("a type", lambda: TypeInfo.fetch(connection, "int4"))
    tell("no type", lambda: TypeInfo.fetch(connection, "hstore"))
    tell("no enumeration", lambda: EnumInfo.fetch(connection, "nothing"))
    tell("a range", lambda: RangeInfo.fetch(connection, "int4range"))

connection = psycopg2.connect("")


def iterated():
    with connection.cursor(name="iterated") as cursor:
        cursor.itersize = 2
        cursor.execute("select id from orders order by id limit 5")
        return list(cursor)


def expert():
    with connection.cursor() as cursor:
        text = io.StringIO()
        cursor.copy_expert("copy (select id, email from customers order by id) to stdout", text)
        return text.getvalue()


tell("psycopg2 iterated", iterated)
tell("psycopg2 copies", expert)
tell("psycopg2 looks for hstore", lambda: HstoreAdapter.get_oids(connection))
connection.close()
