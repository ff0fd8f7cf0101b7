"""dbt on a small project: what reads answers, what would create is refused. The environment says where."""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["DO_NOT_TRACK"] = "1"

from dbt.cli.main import dbtRunner

from told import tell

PROJECT = Path(__file__).parent / "dbt"
MADE = Path(tempfile.mkdtemp())


def dbt(*command):
    options = ["--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT), "--log-path", str(MADE / "logs")]
    if command != ("debug",):
        options += ["--target-path", str(MADE / "target")]
    return dbtRunner().invoke([*command, *options, "--log-level", "none"])


def results(*command):
    """What became of each node, or of the command where it has none."""

    def run():
        ran = dbt(*command)
        if ran.exception:
            raise ran.exception
        nodes = getattr(ran.result, "results", None)
        return ran.success if nodes is None else [(node.node.name, str(node.status), node.message) for node in nodes]

    return run


def shown():
    table = dbt("show", "--select", "by_region", "--quiet").result.results[0].agate_table
    return [tuple(row.values()) for row in table.rows]


def tested():
    """The SQL of a test that dbt would run, as a query of its own."""
    statement = "select id as unique_field, count(*) as n_records from {{ source('crm', 'customers') }} group by id having count(*) > 1"
    table = dbt("show", "--inline", statement, "--quiet").result.results[0].agate_table
    return len(table.rows)


def catalog():
    ran = dbt("docs", "generate", "--quiet")
    if ran.exception:
        raise ran.exception
    made = json.loads((MADE / "target" / "catalog.json").read_text())
    nodes = {**made["nodes"], **made["sources"]}
    columns = {
        name: [(column["name"], column["type"], column["index"], column["comment"]) for column in node["columns"].values()]
        for name, node in sorted(nodes.items())
    }
    return columns, made["errors"]


# dbt starts this file anew for its workers.
if __name__ == "__main__":
    if sys.argv[1] == "reads":
        tell("debug", results("debug"))
        tell("compile", results("compile"))
        tell("show", shown)
        tell("test", tested)
        tell("docs generate", catalog)
    else:
        tell("run", results("run"))
