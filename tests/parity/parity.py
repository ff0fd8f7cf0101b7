"""The same questions through veilgate and through native row security with masking views: the answers are equal.

Where to: NATIVE is a connection string without a user, GATEWAY the gateway's port, REPORT a file to write.
`differences.txt` lists what differs, each with a sentence that docs/threat-model.md or docs/sql.md says.
"""

import collections
import os
import pathlib
import re
import sys

import psycopg

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "regress"))
from answers import asked, compared

# The native name, the caller, the purpose, what the caller may read.
CALLERS = (
    ("alice", "alice", "support", ("customers", "orders", "events")),
    ("bob", "bob", "analytics", ("customers", "orders", "employees", "events")),
    ("trainer", "agent", "training", ("customers",)),
    ("agent", "agent", "inference", ("orders", "events")),
)
RELATIONS = ("customers", "orders", "employees", "events")


def main():
    shapes = [
        shape
        for paragraph in (HERE / "questions.sql").read_text().split("\n\n")
        for shape in re.sub(r"(?m)^--.*\n?", "", paragraph).split(";\n")
        if shape.strip()
    ]
    known = [line.split(" | ")[0] for line in (HERE / "differences.txt").read_text().splitlines() if " | " in line and not line.startswith("#")]
    counts = collections.Counter()
    found = collections.defaultdict(list)
    for native_name, caller, purpose, relations in CALLERS:
        native = psycopg.connect(f"{os.environ['NATIVE']} user=native_{native_name}", autocommit=True)
        gateway = psycopg.connect(
            f"host=127.0.0.1 port={os.environ['GATEWAY']} dbname=crm user={caller} password=demo sslmode=disable",
            options=f"-c veilgate.purpose={purpose}", autocommit=True,
        )  # fmt: skip
        columns = {relation: [column.name for column in native.execute(f"select * from {relation}").description] for relation in relations}
        for shape in shapes:
            for question in questions(shape.strip(" \n;"), columns):
                verdict, why = compared(asked(native, question), asked(gateway, question), ordered(question), lambda: asked(native, question))
                counts[verdict] += 1
                if verdict not in ("same", "same error"):
                    found[shape.strip(" \n;")].append((verdict, native_name, question, why))
    lines = [f"{len(shapes)} shapes, {sum(counts.values())} questions: {dict(counts)}"]
    unknown = 0
    for shape, all_found in found.items():
        for verdict, who, question, why in all_found:
            line = f"{verdict} | {who} | {question} | {why}"
            is_known = any(re.search(pattern, line) for pattern in known)
            unknown += not is_known
            lines.append(("" if is_known else "NEW ") + line)
    lines += [f"no longer: {pattern}" for pattern in known if not any(re.search(pattern, line) for line in lines)]
    print("\n".join(lines))
    if "REPORT" in os.environ:
        pathlib.Path(os.environ["REPORT"]).write_text("\n".join(lines) + "\n")
    sys.exit(unknown > 0)


def questions(shape, columns):
    """A shape for every relation and column that it may stand for."""
    if "{r}" in shape:
        for relation, names in columns.items():
            for name in names if "{c}" in shape else ("",):
                yield shape.replace("{r}", relation).replace("{c}", name)
        return
    named = [relation for relation in RELATIONS if re.search(rf"\b(from|join)\s+{relation}\b", shape)]
    if all(relation in columns for relation in named):
        yield shape


def ordered(question):
    return bool(re.search(r"\border by\b", re.sub(r"\([^()]*(\([^()]*\)[^()]*)*\)", "", question)))


if __name__ == "__main__":
    main()
