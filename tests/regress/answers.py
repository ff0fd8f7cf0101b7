"""One statement asked of a server, and two answers compared."""

import psycopg
from psycopg import pq

RECORD = 2249
FIRST_USER_TYPE = 16384


def asked(connection, text, data=None):
    """(rows, names, types, rows) or (error, SQLSTATE, message) or (done,) or (gone, what)."""
    try:
        result = connection.pgconn.exec_(text.encode())
        status = result.status
        if status == pq.ExecStatus.COPY_IN:
            lines = (data or "").encode()
            if lines:
                connection.pgconn.put_copy_data(lines)
            connection.pgconn.put_copy_end()
            result = connection.pgconn.get_result()
            while connection.pgconn.get_result():
                pass
            status = result.status
        if status in (pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH):
            while connection.pgconn.get_copy_data(0)[0] > 0:
                pass
            while connection.pgconn.get_result():
                pass
            return ("copied",)
    except (psycopg.Error, UnicodeError) as error:
        return ("gone", str(error))
    if status == pq.ExecStatus.TUPLES_OK:
        columns = range(result.nfields)
        names = [result.fname(column).decode(errors="replace") for column in columns]
        types = [(result.ftype(column), result.fmod(column)) for column in columns]
        rows = [tuple(result.get_value(row, column) for column in columns) for row in range(result.ntuples)]
        return ("rows", names, types, rows)
    if status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY):
        return ("done",)
    message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message or b""
    state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
    return ("error", state.decode(), message.decode(errors="replace").strip())


def compared(direct, through, is_ordered, again):
    """What became of a statement, and why. `again` asks directly once more: a volatile answer differs from itself."""
    if through[0] == "gone":
        return "gone", through[1]
    if direct[0] == "error":
        if through[0] == "error":
            same = direct[1] == through[1]
            return ("same error", direct[1]) if same else ("other error", f"{direct[1]} {direct[2]} -> {through[1]} {through[2]}")
        return ("no error", direct[2]) if again()[0] == "error" else ("volatile", "")
    if through[0] == "error":
        return "refused", f"{through[1]} {through[2]}"
    if direct[0] != "rows" or through[0] != "rows":
        return ("same", "") if direct == through else ("wrong", f"{direct[0]} -> {through[0]}")
    if direct[1] != through[1]:
        return "wrong", f"names {direct[1]} -> {through[1]}"
    if any(one != other and not is_row(one, other) for one, other in zip(direct[2], through[2])):
        return "wrong", f"types {direct[2]} -> {through[2]}"
    if direct[3] == through[3]:
        return "same", ""
    if bag(direct) == bag(through):
        return ("order", "") if is_ordered else ("same", "")
    second = again()
    if second[0] != "rows" or bag(second) != bag(direct):
        return "volatile", ""
    return "wrong", f"rows {str(direct[3])[:300]} -> {str(through[3])[:300]}"


def is_row(direct, through):
    """A whole row, which comes as a record: the table's own type has other columns."""
    return through[0] == RECORD and direct[0] >= FIRST_USER_TYPE


def bag(answer):
    return sorted(answer[3], key=repr)
