#!/usr/bin/env python3
"""What servers make of calls: for operators and functions with arguments of many types, the overload they mean.

    crates/sql/data/choices.py [MAJOR ALL]

writes crates/sql/data/postgres/choices-MAJOR.tsv for the oldest, the newest and CI's own version: samples that a test
holds the resolver to. With a version and a file name it writes every choice of that version there.
"""

import pathlib
import random
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "postgres"
sys.path.insert(0, str(HERE.parents[2] / "scripts"))
import postgres  # noqa: E402

KEPT = (14, 15, 18)
SAMPLE = 2000

TYPES = """
bool bytea char name int8 int2 int4 text oid json jsonb xml float4 float8 money bpchar varchar date time timestamp
timestamptz interval timetz bit varbit numeric uuid inet cidr macaddr point tsvector tsquery regclass
_text _varchar _int4 _int8 _numeric int4range numrange int4multirange
""".split()

# The first node of a view's only column says what was meant. The exception takes the view back.
MEANT = r"""
CREATE TYPE pg_temp.mood AS ENUM ('sad', 'ok');
CREATE FUNCTION pg_temp.meant(number int, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE tree text; found text[];
BEGIN
  EXECUTE format('CREATE TEMP VIEW asked_%s AS SELECT %s AS answer', number, call);
  SELECT ev_action INTO tree FROM pg_rewrite WHERE ev_class = ('pg_temp.asked_' || number)::regclass;
  RAISE SQLSTATE 'VG001' USING MESSAGE = tree;
EXCEPTION
  WHEN SQLSTATE 'VG001' THEN
    found := regexp_match(SQLERRM, ':targetList \(\{TARGETENTRY :expr \{(\w+) :(?:opno|funcid|aggfnoid|winfnoid) (\d+)');
    IF found[1] = 'OPEXPR' THEN
      RETURN (SELECT concat_ws(' ', nullif(oprleft, 0)::text, oprright) FROM pg_operator WHERE oid = found[2]::oid);
    END IF;
    RETURN (SELECT array_to_string(proargtypes::oid[], ' ') FROM pg_proc
            WHERE oid = found[2]::oid AND starts_with(call, format('pg_catalog.%I(', proname)));
  WHEN OTHERS THEN RETURN NULL;
END $$;
"""

# Calls asked in one transaction, which keeps what they leave behind small.
BATCH = 2000


def main():
    match sys.argv[1:]:
        case []:
            for major in KEPT:
                rows = choices(major)
                sample = [rows[i] for i in sorted(random.sample(range(len(rows)), SAMPLE))]
                write(FOLDER / f"choices-{major}.tsv", sample, len(rows))
        case [major, path]:
            rows = choices(int(major))
            write(pathlib.Path(path), rows, len(rows))
        case _:
            sys.exit(__doc__)


def choices(major):
    """Every call that the server takes, with what it means."""
    random.seed(major)
    with postgres.started(major) as server:
        asked = [*operator_calls(server), *function_calls(server, major)]
        script = [MEANT, "CREATE TEMP TABLE calls(number int, call text);", "COPY calls FROM STDIN;"]
        script += [f"{number}\t{call}" for number, (_, _, _, call) in enumerate(asked)]
        script.append("\\.")
        script += [
            f"SELECT number, meant FROM calls, pg_temp.meant(number, call) meant"
            f" WHERE number / {BATCH} = {batch} AND meant IS NOT NULL ORDER BY number;"
            for batch in range(len(asked) // BATCH + 1)
        ]
        rows = []
        for number, meant in query("\n".join(script), server):
            kind, name, given, _ = asked[int(number)]
            rows.append(f"{kind}\t{name}\t{' '.join(given)}\t{meant}")
    return rows


def write(path, rows, of):
    path.write_text("#kind\tname\tgiven\tmeant\n" + "\n".join(rows) + "\n")
    print(f"{path}: {len(rows)} of {of} choices")


def operator_calls(server):
    names = [name for (name,) in query("SELECT DISTINCT oprname FROM pg_operator WHERE oprnamespace = 11 ORDER BY 1", server)]
    given = [*TYPES, "mood", "mood[]", "unknown"]
    for name in names:
        for right in given:
            yield "operator", name, [right], f"{name} {value(right)}"
            for left in given:
                yield "operator", name, [left, right], f"{value(left)} {name} {value(right)}"


def function_calls(server, major):
    """Each overload with arguments near to those it declares."""
    casts = {}
    for source, target in query("""
        SELECT s.typname, t.typname FROM pg_cast JOIN pg_type s ON s.oid = castsource JOIN pg_type t ON t.oid = casttarget
        WHERE castcontext = 'i'""", server):
        casts.setdefault(target, []).append(source)
    quote = dict(query("SELECT DISTINCT proname, quote_ident(proname) FROM pg_proc", server))
    listed = {line.split("\t")[0] for line in (FOLDER / "classes.tsv").read_text().splitlines() if "\tt\t" in line}
    for line in (FOLDER / "functions.tsv").read_text().splitlines()[1:]:
        since, until, name, kind, args, *_, place, _, _ = line.split("\t")
        if not int(since) <= major <= int(until) or place not in listed or kind == "set" or not args:
            continue
        for _ in range(12):
            given = []
            for arg in args.split(","):
                if arg.startswith("any") or arg == "any":
                    given.append(random.choice([*TYPES, "mood", "mood[]", "unknown"]))
                else:
                    near = [arg] * 3 + casts.get(arg, []) + ["unknown"]
                    given.append(random.choice(near))
            over = " OVER ()" if kind == "window" else ""
            yield "function", name, given, f"pg_catalog.{quote[name]}({', '.join(map(value, given))}){over}"


def value(type_name):
    if type_name == "unknown":
        return "NULL"
    return f"NULL::pg_temp.{type_name}" if type_name.startswith("mood") else f'NULL::pg_catalog."{type_name}"'


def query(text, server):
    command = ["psql", "-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    answer = subprocess.run(command, input=text, check=True, capture_output=True, text=True, env=server).stdout
    return [line.split("\t") for line in answer.splitlines()]


if __name__ == "__main__":
    main()
