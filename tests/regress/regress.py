"""Postgres's own regression SELECTs, each asked of the server and of the gateway, by a caller to whom all is clear.

regress.py --server HOST PORT --veilgate PROGRAM --out FOLDER [--filter] [FILE...]

A database per file is set up directly; what only reads is then asked by both roads, in sessions of their own, and the
answers are compared: SQLSTATE, names and types of the columns, rows (as bags; with ORDER BY in order, too).
"""

import argparse
import collections
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import psycopg
from psycopg import pq

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import split
import tables
from answers import asked, compared

HERE = pathlib.Path(__file__).parent
SQL = HERE / "sql"
# A server may serve several runs.
DATABASE = f"regress_{os.getpid()}"
BASE_DATABASE = f"{DATABASE}_base"
# What other files build upon.
BASE = ("test_setup", "create_misc", "create_aggregate", "create_operator", "create_function_sql", "create_index")
ONLY_BASE = ("test_setup", "create_aggregate", "create_operator", "create_function_sql")
# Those that ask of tables rather than of constants: a filter changes something there.
FILTERED = (
    "aggregates arrays box case char date equivclass float8 geometry groupingsets incremental_sort inherit int4 int8 interval join"
    " jsonb limit numeric point portals rangetypes rowtypes select select_distinct select_distinct_on select_having select_implicit"
    " strings subselect text timestamp timestamptz tsearch tsrf union varchar window with"
).split()
NEEDS = {"select_views": ("create_view",)}
# What the temporary tables of a file become: both roads see them.
TEMPORARY = re.compile(r"^(\s*create\s+(?:or\s+replace\s+)?)(?:(?:local|global)\s+)?temp(?:orary)?\s+", re.I)
INTO_TEMPORARY = re.compile(r"\binto\s+(?:(?:local|global)\s+)?temp(?:orary)?\s+(?:table\s+)?", re.I)
ON_COMMIT = re.compile(r"\bon\s+commit\s+(drop|delete\s+rows|preserve\s+rows)", re.I)
# Statements that would leave the database, or never end.
NOT_RUN = re.compile(
    r"^\s*(listen|notify|unlisten|cluster|alter\s+system|(create|drop|alter)\s+(tablespace|database|subscription)"
    r"|checkpoint|set\s+(local\s+|session\s+)?role|reset\s+role|set\s+(local\s+|session\s+)?session\s+auth|reset\s+session\s+auth|lock|prepare\s+transaction|security\s+label|load)\b",
    re.I,
)
# What a statement that asks the catalogue names: one of its relations, or one of these functions and types.
CATALOGUE_CALLS = re.compile(
    r"\b(pg_get_\w+|pg_(table|relation|total_relation|indexes|database|tablespace)_size|pg_(type|table|function|opclass|ts_\w+)_is_visible"
    r"|pg_partition_\w+|pg_index\w*_has_property|pg_describe_object|pg_identify_object\w*|pg_relation_filenode|format_type|to_reg\w+|(obj|col|shobj)_description"
    r"|has_\w+_privilege|information_schema|reg(class|type|proc|procedure|oper|operator|role|namespace|config|dictionary|collation))\b",
    re.I,
)
CHANGES_NO_CATALOGUE = re.compile(r"^\s*(insert|update|delete|merge|explain|show|analyze|vacuum|fetch|execute|prepare)\b", re.I)
# What the policy names: no child, since its parent's line holds for it, and no view that is opened to what it reads. One
# that calls a function of the database's own cannot be opened.
RELATIONS = """
select c.oid, c.xmin::text, n.nspname, c.relname, c.relkind::text, array_agg(a.attname::text order by a.attnum), array_agg(a.xmin::text)
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'v', 'm', 'f')
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
  and not exists (select from pg_inherits i where i.inhrelid = c.oid)
  and (c.relkind <> 'v' or (
    select bool_or(d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)) or not bool_or(d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid)
    from pg_depend d join pg_rewrite w on w.oid = d.objid where w.ev_class = c.oid and d.classid = 'pg_rewrite'::regclass))
group by 1, 2, 3, 4, 5 order by 1"""
# The gateway's own question: whether the catalogue has changed.
FINGERPRINT = re.search(
    r'const FINGERPRINT: &str = r"(.*?)";', (HERE / "../../crates/pg-proxy/src/catalog.rs").read_text(), re.S
).group(1)


def main():
    arguments = parsed()
    os.environ.update(PGHOST=arguments.host, PGPORT=arguments.port, PGUSER="postgres")
    arguments.out.mkdir(parents=True, exist_ok=True)
    every = sorted(path.stem for path in SQL.glob("*.sql") if path.stem not in ONLY_BASE)
    names = arguments.files or (FILTERED if arguments.filter else every)
    with connect("postgres") as admin:
        admin.execute(f"create database {BASE_DATABASE} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")
    with connect(BASE_DATABASE) as setup:
        for name in BASE:
            for statement in statements(name):
                if statement.kind == "OTHER":
                    set_up(setup, statement)
    with connect("postgres") as admin:
        relations = admin.execute("select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace").fetchall()
    report = Report({name for (name,) in relations})
    for name in names:
        began = time.monotonic()
        with connect("postgres") as admin:
            admin.execute(f"create database {DATABASE} template {BASE_DATABASE}")
        print(name, file=sys.stderr, flush=True)
        with Gateway(arguments) as gateway, Sessions(gateway) as sessions:
            for needed in NEEDS.get(name, ()):
                for statement in statements(needed):
                    if statement.kind == "OTHER":
                        set_up(sessions.owner, statement)
            for statement in statements(name):
                sessions.heal()
                one(name, statement, gateway, sessions, report)
            ended = gateway.ended()
        if ended:
            report.crashes.append((name, ended))
        with connect("postgres") as admin:
            admin.execute(f"drop database {DATABASE} with (force)")
        report.seconds[name] = time.monotonic() - began
        with (arguments.out / "report.json").open("w") as file:
            json.dump(report.rows, file, indent=0)
    (arguments.out / "summary.md").write_text(report.summary() + "\n")
    print(report.summary())
    mode = "filter" if arguments.filter else "clear"
    kept = dict(line.split(": ") for line in (HERE / "kept.txt").read_text().splitlines() if not line.startswith("#"))
    problems = [f"crash: {crash}" for crash in report.crashes] + [f"wrong: {line}" for line in report.wrong()]
    if not arguments.files and report.share() > float(kept[mode]):
        problems.append(f"{report.share():.2f} % of forms are refused, more than the {kept[mode]} % that are kept")
    print("\n".join(problems))
    sys.exit(bool(problems))


def parsed():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True)
    parser.add_argument("--veilgate", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--filter", action="store_true")
    parser.add_argument("files", nargs="*")
    return parser.parse_args()


def connect(database):
    options = "-c statement_timeout=30s -c client_min_messages=error"
    return psycopg.connect(dbname=database, autocommit=True, prepare_threshold=None, options=options)


def statements(name):
    text = (SQL / f"{name}.sql").read_bytes().decode("utf8", errors="replace")
    return split.split(text)


def one(name, statement, gateway, sessions, report):
    """One statement of a file."""
    if NOT_RUN.match(statement.bare):
        return
    kind = statement.kind
    if kind == "CONTROL":
        # Both roads must see what a transaction does, so each statement is one; what a rolled back one made is dropped.
        if re.match(r"\s*(begin|start)\b", statement.bare, re.I):
            sessions.before = tables_of(sessions.watch)
        elif re.match(r"\s*(rollback|abort)\s*(work|transaction)?\s*$", statement.bare, re.I) and sessions.before is not None:
            for made in tables_of(sessions.watch) - sessions.before:
                run(sessions.owner, f"drop table if exists {made} cascade")
            sessions.before, gateway.changed = None, True
        return
    if kind == "SET":
        # A setting holds on both sides, or on none.
        text = re.sub(r"^(\s*set)\s+local\b", r"\1", statement.text, flags=re.I)
        run(sessions.owner, text)
        if asked(sessions.gateway(), text)[0] == "done":
            run(sessions.direct, text)
        return
    if kind == "OTHER":
        if not CHANGES_NO_CATALOGUE.match(statement.bare):
            gateway.changed = True
        set_up(sessions.owner, statement)
        return
    verdict, why = answered(statement, sessions)
    if verdict in ("refused", "wrong", "no error") and not tells_of_no_relation(why) and gateway.follow(sessions.watch):
        # The gateway did not yet know of what the file has made since.
        verdict, why = answered(statement, sessions)
    report.add(name, statement, verdict, why)


def answered(statement, sessions):
    """What becomes of a statement, and why."""
    direct = asked(sessions.direct, statement.text)
    through = asked(sessions.gateway(), statement.text)
    is_ordered = re.search(r"\border\s+by\b", statement.top, re.I)
    return compared(direct, through, is_ordered, lambda: asked(sessions.direct, statement.text))


def tells_of_no_relation(why):
    """Whether a refusal would be the same whatever the database holds."""
    return re.search(r"is no built-in function|the catalogue is not readable|is not on the list of calls: ", why)


def tables_of(watch):
    return {made for (made,) in watch.execute("select oid::regclass::text from pg_class where relkind in ('r', 'p') and oid > 16384").fetchall()}


def set_up(owner, statement):
    text = TEMPORARY.sub(r"\1", statement.text, count=1)
    text = INTO_TEMPORARY.sub("into ", ON_COMMIT.sub("", text))
    data = statement.data
    copied = re.match(r"\s*copy\s+(?:binary\s+)?([\w.]+)\s+from\s+:", statement.bare, re.I)
    if copied:
        data = tables.copied(copied.group(1))
        if data is None:
            return
        text = f"copy {copied.group(1)} from stdin"
    answer = run(owner, text, data)
    if os.environ.get("REGRESS_SETUP") and answer[0] in ("error", "gone"):
        print("not set up:", " ".join(text.split())[:120], answer[1:])


def run(connection, text, data=None):
    """Runs a statement of which only the effect counts."""
    answer = asked(connection, text, data)
    if connection.pgconn.transaction_status not in (pq.TransactionStatus.IDLE, pq.TransactionStatus.UNKNOWN):
        asked(connection, "rollback")
    return answer


# What becomes of a statement that the gateway answers.
ANSWERED = ("same", "order", "volatile", "wrong")


class Report:
    """All verdicts."""

    def __init__(self, catalogue):
        # The relations of the catalogue.
        self.catalogue = catalogue
        self.rows = []
        self.crashes = []
        self.seconds = {}

    def add(self, name, statement, verdict, why):
        row = {"file": name, "line": statement.line, "kind": statement.kind, "verdict": verdict, "why": why, "text": statement.text}
        if CATALOGUE_CALLS.search(statement.bare) or self.catalogue.intersection(re.findall(r"\w+", statement.bare.lower())):
            row["class"] = "catalogue"
        else:
            row["class"] = class_of(statement, why) if verdict == "refused" else ""
        self.rows.append(row)
        if verdict == "gone":
            self.crashes.append((name, statement.line, why))

    def share(self):
        """Per cent of forms that are refused, of the statements that succeed directly and ask for nothing beyond forms."""
        forms = sum(row["class"] == "form" for row in self.rows)
        answered = sum(row["class"] == "" and row["verdict"] in ANSWERED for row in self.rows)
        return 100 * forms / max(1, forms + answered)

    def wrong(self):
        """Answers that differ, and are not expected to."""
        known = [line.split(" | ")[0] for line in (HERE / "differences.txt").read_text().splitlines() if " | " in line]
        lines = [
            f"{row['verdict']} {row['file']}:{row['line']} {' '.join(row['text'].split())} => {row['why']}"
            for row in self.rows
            if row["verdict"] == "gone" or (row["class"] == "" and row["verdict"] in ("wrong", "order", "no error"))
        ]
        return [line for line in lines if not any(re.search(pattern, line) for pattern in known)]

    def summary(self):
        lines = ["| kind | succeed directly | catalogue | own | reviewed out | same | form | form % |", "|---|---|---|---|---|---|---|---|"]
        for kind in ("SELECT", "WITH", "TABLE", "VALUES", None):
            rows = [row for row in self.rows if kind in (None, row["kind"]) and row["verdict"] in (*ANSWERED, "refused", "gone")]
            classes = collections.Counter(row["class"] for row in rows)
            catalogue, own, reviewed, form, same = (classes[each] for each in ("catalogue", "own", "reviewed out", "form", ""))
            share = 100 * form / max(1, same + form)
            lines.append(f"| {kind or 'all'} | {len(rows)} | {catalogue} | {own} | {reviewed} | {same} | {form} | {share:.2f} |")
        for title, is_catalogue in (("of the catalogue", True), ("all others", False)):
            verdicts = collections.Counter(row["verdict"] for row in self.rows if (row["class"] == "catalogue") == is_catalogue)
            lines += ["", f"{title}: {dict(verdicts)}"]
        whys = collections.defaultdict(list)
        for row in self.rows:
            if row["verdict"] == "refused":
                whys[row["class"], re.sub(r"`[^`]*`|\"[^\"]*\"|(?<=: )[\w.]+$", "…", row["why"])].append(row)
        lines.append("")
        for (kind, why), rows in sorted(whys.items(), key=lambda item: (item[0][0], -len(item[1]))):
            lines.append(f"{len(rows):5d} {kind}: {why}    e.g. {rows[0]['file']}:{rows[0]['line']} {' '.join(rows[0]['text'].split())[:160]}")
        slow = sorted(self.seconds.items(), key=lambda item: -item[1])[:12]
        lines += ["", "slowest: " + ", ".join(f"{name} {seconds:.0f}s" for name, seconds in slow) + f"; all {sum(self.seconds.values()):.0f}s"]
        return "\n".join(lines)


def class_of(statement, why):
    """What a refused statement asked for: something of the database's own, a call that the review left out on purpose, or
    a form that could be mediated."""
    if re.search(r"is no built-in function|^42883 operator does not exist|operator `[^`]*` is not on|text search configuration|USING ", why):
        return "own"
    if re.search(r"type `[^`]*` is not on the list", why):
        return "own"
    # Said by the server: the body of a function of the database's own looks names up along the path, upstream pg_catalog.
    if re.search(r"^42P01 relation does not exist$|^42704 object does not exist$", why):
        return "own"
    if re.search(r"function `[^`]*` is not on the list of calls: |current_setting\(\)|^42501 setting", why):
        return "reviewed out"
    if re.search(r"FOR (NO KEY |KEY )?(UPDATE|SHARE)|system column `(ctid|[xc]m(in|ax))`", why):
        return "reviewed out"
    # `c.f` for f(c) is a call of a function of the database's own where no such column is.
    if re.search(r"^42703 column", why) and re.search(r"\w\.\w", statement.bare):
        return "own"
    return "form"


class Gateway:
    """A gateway before the file's database, with a policy that is written anew as the tables change."""

    def __init__(self, arguments):
        self.program, self.filter = arguments.veilgate, arguments.filter
        self.folder = arguments.out / "gateway"
        self.policy = self.folder / "policy"
        self.policy.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (self.folder / "veilgate.yaml").write_text(
            f"policy: {self.policy}\n"
            f"callers_file: {HERE / '../../fixtures/callers.yaml'}\n"
            f"audit: {{path: {self.folder}/audit.jsonl}}\n"
            f"admin: {{socket: {self.folder}/admin.sock}}\n"
            f"listeners: {{postgres: {{address: \"127.0.0.1:{self.port}\", tls: allow}}}}\n"
            f"stores:\n  crm: {{port: {arguments.port}, database: {DATABASE}, user: postgres, tls: {{mode: off}}, catalog_refresh_ms: 600000}}\n"
        )
        self.seen = None
        self.read_to, self.fingerprints = 0, set()
        self.changed = True

    def __enter__(self):
        self.write([])
        self.log = (self.folder / "log").open("w")
        command = [self.program, "serve", "--config", self.folder / "veilgate.yaml"]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        for _ in range(3000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise SystemExit("the gateway does not start:\n" + (self.folder / "log").read_text())

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def ended(self):
        return self.process.poll() is not None and (self.folder / "log").read_text()[-2000:]

    def connect(self):
        return psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=alice password=demo dbname=crm sslmode=disable", autocommit=True
        )

    def follow(self, watch):
        """Has the gateway read the catalogue where that has changed; whether it has."""
        if not self.changed:
            return False
        self.changed = False
        fingerprint = watch.execute(FINGERPRINT).fetchone()[0]
        if fingerprint == self.seen:
            return False
        self.seen = fingerprint
        # The policy names what is there before the gateway can know that it is.
        self.write(watch.execute(RELATIONS).fetchall())
        with socket.socket(socket.AF_UNIX) as admin:
            admin.connect(str(self.folder / "admin.sock"))
            admin.sendall(b"reload\n")
            answer = json.loads(b"".join(iter(lambda: admin.recv(65536), b"")))
        if not answer.get("ok"):
            raise SystemExit(f"the gateway does not reload: {answer}")
        deadline = time.monotonic() + 60
        while fingerprint not in self.loaded():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit("the gateway does not see the catalogue:\n" + (self.folder / "log").read_text()[-2000:])
            time.sleep(0.005)
        return True

    def loaded(self):
        """The fingerprints of the catalogues that the gateway has loaded."""
        with (self.folder / "log").open("rb") as log:
            log.seek(self.read_to)
            lines = log.read().rpartition(b"\n")[0]
        self.read_to += len(lines)
        self.fingerprints.update(re.findall(r'"fingerprint":"(\w+)"', lines.decode()))
        return self.fingerprints

    def write(self, relations):
        lines = [
            "veilgate: 1",
            "caller: {region: {type: text, optional: true}, roles: {type: [text], default: []}, model: {type: text, optional: true},",
            "         purpose: {one_of: [support, analytics, training, inference]}}",
            "data:",
            "  pg://crm/public.regress_nothing: {nothing: open}",
        ]
        rules = []
        for number, (_, _, schema, name, _, columns, _) in enumerate(relations):
            key = json.dumps(f"pg://crm/{identifier(schema)}.{identifier(name)}", ensure_ascii=False)
            fields = ", ".join(f"{json.dumps(identifier(column), ensure_ascii=False)}: open" for column in columns)
            lines.append(f"  {key}: {{{fields}}}")
            rules.append(f"  - allow: all-{number}\n    to: anyone\n    data: {key}\n    do: [read, explain]")
            if self.filter:
                first = identifier(columns[0])
                rules[-1] += f"\n    rows: {json.dumps(f'{first} is null or {first} is not null', ensure_ascii=False)}"
        lines += ["rules:"] + (rules or ["  - allow: nothing\n    to: anyone\n    data: pg://crm/public.regress_nothing\n    do: read"])
        (self.policy / "policy.yaml").write_text("\n".join(lines) + "\n")


def identifier(name):
    plain = re.fullmatch(r"[a-z_][a-z0-9_$]*", name)
    return name if plain else '"' + name.replace('"', '""') + '"'


class Sessions:
    """The owner's, who sets up; a direct one, and one through the gateway, which are asked."""

    def __init__(self, gateway):
        self.to = gateway
        # The tables before a transaction began.
        self.before = None

    def __enter__(self):
        self.owner, self.direct, self.through = connect(DATABASE), connect(DATABASE), self.to.connect()
        # Asks what the statements have made of the database.
        self.watch = connect(DATABASE)
        self.watch.execute("set statement_timeout = 0")
        return self

    def heal(self):
        """A statement may have ended a session."""
        if self.owner.closed:
            self.owner = connect(DATABASE)
        if self.direct.closed:
            self.direct = connect(DATABASE)

    def gateway(self):
        """The session through the gateway, anew if it is gone."""
        if self.through.pgconn.status != pq.ConnStatus.OK:
            self.through = self.to.connect()
        return self.through

    def __exit__(self, *_):
        for session in (self.owner, self.direct, self.through, self.watch):
            session.close()


if __name__ == "__main__":
    main()
