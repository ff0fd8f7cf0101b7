#!/usr/bin/env python3
"""The reviewed lists: the catalogue of every supported version and the files of review/, joined.

    crates/sql/data/make.py

writes crates/sql/data/postgres/*.tsv from servers that scripts/postgres.py fetches and starts. Nothing is taken from a
server on trust: a function that no file of review/ places stops the script. docs/calls.md says how the review was made.
"""

import fnmatch
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = HERE / "postgres"
sys.path.insert(0, str(HERE.parents[2] / "scripts"))
import postgres  # noqa: E402

# A row of these tables begins with the first and the last version of Postgres that has it.
HEADS = {
    "functions": "name kind arguments result variadic defaults volatility leakproof class safe why",
    "operators": "name left right result function safe",
    "casts": "source target context method safe why",
    "types": "oid name kind category preferred element array subtype range collatable ordered",
}

# Types that a query can meet: rows of the catalogue's own relations are not values here.
TYPES = """
SELECT t.oid, t.typname, t.typtype, t.typcategory, t.typispreferred,
       CASE WHEN t.typsubscript = 'array_subscript_handler'::regproc THEN t.typelem ELSE 0 END,
       t.typarray, coalesce(r.rngsubtype, m.rngsubtype, 0), coalesce(m.rngtypid, r.rngmultitypid, 0),
       t.typcollation <> 0, coalesce(o.function, '')
FROM pg_type t
LEFT JOIN pg_range r ON r.rngtypid = t.oid
LEFT JOIN pg_range m ON m.rngmultitypid = t.oid
LEFT JOIN LATERAL (
  SELECT a.amproc::oid::text AS function
  FROM pg_opclass c JOIN pg_amproc a
    ON a.amprocfamily = c.opcfamily AND a.amproclefttype = c.opcintype AND a.amprocrighttype = c.opcintype AND a.amprocnum = 1
  WHERE c.opcmethod = 403 AND c.opcdefault AND c.opcintype = t.oid) o ON true
WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype <> 'c'
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typtype = 'c')
ORDER BY t.oid
"""

FUNCTIONS = """
SELECT oid, proname, CASE WHEN prokind = 'a' THEN 'aggregate' WHEN prokind = 'w' THEN 'window'
                          WHEN proretset THEN 'set' ELSE 'function' END,
       array_to_string(proargtypes::oid[], ' '), provariadic, pronargdefaults, prorettype, provolatile, proleakproof
FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind <> 'p'
ORDER BY proname COLLATE "C", pronargs, array_to_string(proargtypes::oid[], ' ') COLLATE "C"
"""

OPERATORS = """
SELECT oprname, oprleft, oprright, oprresult, oprcode::oid FROM pg_operator
WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprcode <> 0
ORDER BY oprname COLLATE "C", oprleft, oprright
"""

CASTS = """
SELECT castsource, casttarget, castcontext, castmethod, castfunc FROM pg_cast ORDER BY castsource, casttarget
"""

# A function of these is called by the server alone.
UNSPEAKABLE = {
    "internal", "cstring", "_cstring", "trigger", "event_trigger", "fdw_handler", "index_am_handler", "tsm_handler",
    "language_handler", "table_am_handler",
}

# Types without a default comparison of their own, which use that of the type they are binary coercible to.
SAFELY_ORDERED = {"varchar", "cidr"}


def main():
    wanted = [int(major) for major in sys.argv[1:]] or list(postgres.PINNED)
    review = Review()
    tables = {}
    for major in wanted:
        with postgres.started(major) as server:
            for name, rows in catalogue(review, lambda text: query(text, server)).items():
                for row in rows:
                    tables.setdefault(name, {}).setdefault(tuple(map(str, row)), []).append(major)
    review.done()
    if wanted != list(postgres.PINNED):
        sys.exit("nothing written: the tables hold every version")
    for name, head in HEADS.items():
        write(FOLDER / f"{name}.tsv", "since until " + head, spans(tables[name]))
    write(FOLDER / "classes.tsv", "class listed reason", review.classes.rows())


def spans(rows):
    """The rows with the first and the last version that has them, one for each run of versions."""
    for row, majors in sorted(rows.items()):
        for major in majors:
            if major - 1 not in majors:
                until = major
                while until + 1 in majors:
                    until += 1
                yield (major, until, *row)


class Review:
    """The files of review/, and what of them some server had."""

    def __init__(self):
        self.classes, self.safe, self.casts = Classes(), Safe(), Casts()

    def done(self):
        for part in (self.classes, self.safe, self.casts):
            part.done()


def catalogue(review, query):
    """The tables of one server."""
    types = {row[0]: row for row in query(TYPES)}
    names = {oid: row[1] for oid, row in types.items()}
    classes, safe = review.classes, review.safe
    functions = {}
    for oid, name, kind, args, variadic, defaults, result, volatility, leakproof in query(FUNCTIONS):
        spoken = [names.get(arg, "?") for arg in args.split()]
        signature = f"{name}({','.join(spoken)})"
        place = classes.of(name, signature, spoken + [names.get(result, "?")])
        verdict, why = safe.of(signature, leakproof == "t", place in classes.listed)
        functions[oid] = (
            name, kind, ",".join(spoken), names.get(result, "?"), names.get(variadic, "-"), defaults, volatility,
            leakproof, place, verdict, why, safe.of(signature, leakproof == "t", True)[0] == "safe",
        )
    operators = []
    for name, left, right, result, function in query(OPERATORS):
        row = functions[function]
        if row[8] not in classes.listed:
            sys.exit(f"operator {name} is implemented by {row[0]}, which is not listed")
        operators.append((name, names.get(left, "-"), names[right], names[result], row[0], row[9]))
    return {
        "functions": [row[:-1] for row in functions.values()],
        "operators": operators,
        "casts": casts(review.casts, query(CASTS), names, functions),
        "types": [type_row(row, names, functions) for row in types.values()],
    }


def type_row(row, names, functions):
    oid, name, kind, category, preferred, element, array, subtype, range_type, collatable, comparison = row
    kinds = {"b": "base", "p": "pseudo", "r": "range", "m": "multirange"}
    if kind == "b" and category == "A" and element != "0":
        kind = "array"
    ordered = name in SAFELY_ORDERED or comparison != "" and functions[comparison][-1]
    return (
        oid, name, kinds.get(kind, kind), category, preferred, names.get(element, "-"), names.get(array, "-"),
        names.get(subtype, "-"), names.get(range_type, "-"), collatable, "t" if ordered else "f",
    )


def casts(reviewed, found, names, functions):
    reviewed.known.update(names.values())
    rows = []
    known = set()
    for source, target, context, method, function in found:
        if source not in names or target not in names:
            continue
        known.add((names[source], names[target]))
        if source == target:
            verdict, why = reviewed.of("to_length", names[source])
            rows.append((names[source], names[target], context, "length", verdict, why))
        elif method == "b":
            rows.append((names[source], names[target], context, "binary", "safe", "the same bytes"))
        elif method == "i":
            rows.append((names[source], names[target], context, "text", "unsafe", "-"))
        else:
            row = functions[function]
            verdict = "safe" if row[9] == "safe" else "unsafe"
            rows.append((names[source], names[target], context, "function", verdict, row[10] if verdict == "safe" else "-"))
    for name in reviewed.names("to_text", names.values()):
        if (name, "text") not in known:
            rows.append((name, "text", "a", "text", *reviewed.of("to_text", name)))
    return rows


class Classes:
    """Which class each function is in: listed.txt by exact name, unlisted.txt by pattern, `internal` by signature."""

    def __init__(self):
        self.listed, self.unlisted = {}, {"internal": "takes or returns what only the server holds"}
        self.names, self.patterns, self.used = {}, [], set()
        for place, reason, words in sections("listed.txt"):
            self.listed[place] = reason
            for name in words:
                if name in self.names:
                    sys.exit(f"listed.txt names {name} twice")
                self.names[name] = place
        for place, reason, words in sections("unlisted.txt"):
            self.unlisted[place] = reason
            self.patterns += [(pattern, place) for pattern in words]

    def of(self, name, signature, types):
        if UNSPEAKABLE.intersection(types):
            return "internal"
        for pattern, place in self.patterns:
            if "(" in pattern:
                if signature == pattern:
                    self.used.add(pattern)
                    return place
            elif fnmatch.fnmatchcase(name, pattern):
                if name in self.names:
                    sys.exit(f"{name} is listed, and not listed by {pattern}")
                self.used.add(pattern)
                return place
        if name not in self.names:
            sys.exit(f"{signature} is in no class: read what it does and name it in listed.txt or unlisted.txt")
        self.used.add(name)
        return self.names[name]

    def done(self):
        for word in [*self.names, *(pattern for pattern, _ in self.patterns)]:
            if word not in self.used:
                print(f"note: no server has a function for {word}", file=sys.stderr)

    def rows(self):
        yield from ((place, "t", reason) for place, reason in self.listed.items())
        yield from ((place, "f", reason) for place, reason in self.unlisted.items())


class Safe:
    """The verdict of each function."""

    def __init__(self):
        self.lines = [(word, verdict, reason) for verdict, reason, words in sections("safe.txt") for word in words]
        self.used = set()

    def of(self, signature, leakproof, listed):
        if not listed:
            return "unsafe", "-"
        for word, verdict, reason in self.lines:
            if fnmatch.fnmatchcase(signature, word):
                self.used.add(word)
                return verdict, reason
        return ("safe", "leakproof") if leakproof else ("unsafe", "-")

    def done(self):
        for word, _, _ in self.lines:
            if word not in self.used:
                print(f"note: no server has a listed function for {word} of safe.txt", file=sys.stderr)


class Casts:
    """The verdicts of casts.txt."""

    def __init__(self):
        self.kinds, self.known = {}, set()
        for kind, reason, words in sections("casts.txt"):
            self.kinds.setdefault(kind, {}).update(dict.fromkeys(words, reason))

    def names(self, kind, known):
        return [name for name in self.kinds[kind] if name in known]

    def of(self, kind, name):
        reason = self.kinds[kind].get(name)
        return ("safe", reason) if reason else ("unsafe", "-")

    def done(self):
        for names in self.kinds.values():
            for name in names.keys() - self.known:
                print(f"note: no server has the type {name} of casts.txt", file=sys.stderr)


def sections(file):
    """The sections of a review file: (name, reason, words)."""
    found = []
    for number, line in enumerate((HERE / "review" / file).read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        head = re.fullmatch(r"\[(\w+)\] (\S.*)", line)
        if head:
            found.append((head[1], head[2], []))
        elif not found:
            sys.exit(f"{file}:{number}: a name before the first section")
        else:
            found[-1][2].extend(line.split())
    return found


def query(text, server):
    command = ["psql", "-X", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", text]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, env=server).stdout
    return [line.split("\t") for line in answer.splitlines()]


def write(path, head, rows):
    lines = ["#" + head.replace(" ", "\t")] + ["\t".join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.relative_to(HERE)}: {len(lines) - 1} rows")


if __name__ == "__main__":
    main()
