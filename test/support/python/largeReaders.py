"""Reads a table of the lake as engines do that are not in CI: spark, polars, daft. Takes a question as JSON and writes the answer as JSON, rows as lists of texts.

Question: reader, columns, `metadata` (a file); of spark also `uri` of a REST catalog with `table`, what to `ask`, a `snapshot` to go back to, and `where` as SQL.
"""

import json
import os
import sys
from decimal import Decimal, getcontext

# Decimals of 38 digits are to stay what they are.
getcontext().prec = 60
question = json.loads(sys.argv[1])
columns = question["columns"]


def text(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if hasattr(value, "timestamp"):
        return str(round(value.timestamp() * 1000))
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def by_spark():
    from pyspark.sql import SparkSession

    settings = {
        "spark.jars": os.environ["MILLRACE_TEST_SPARK_JAR"],
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": question["uri"],
        # A catalog that is served on the same machine names files of this machine.
        "spark.sql.catalog.lake.io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        "spark.sql.catalog.lake.cache-enabled": "false",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    table = f"lake.{question['table']}"
    listed = ", ".join(f"`{name}`" for name in columns)
    where = question.get("where")
    for_snapshot = question.get("snapshot")

    def scaled(cell, of):
        # PySpark hands -1E-8 over as -1.0E-8: the number is right, and has one digit more than its column.
        return cell.quantize(Decimal(1).scaleb(-of.scale)) if isinstance(cell, Decimal) else cell

    def rows_of(frame):
        types = [field.dataType for field in frame.schema]
        return [[text(scaled(cell, of)) for cell, of in zip(row, types)] for row in frame.collect()]

    def collected(sql):
        return rows_of(session.sql(sql))

    def plan():
        explained = session.sql(f"EXPLAIN EXTENDED SELECT {listed} FROM {table} WHERE {where}").collect()[0][0]
        return [line.strip() for line in explained.splitlines() if "filters=" in line]

    known = {
        "rows": lambda: collected(f"SELECT {listed} FROM {table}"),
        "byFolder": lambda: rows_of(session.read.format("iceberg").load(question["metadata"]).select(*columns)),
        "snapshots": lambda: collected(f"SELECT snapshot_id, operation FROM {table}.snapshots ORDER BY committed_at, snapshot_id"),
        "history": lambda: collected(f"SELECT is_current_ancestor FROM {table}.history"),
        "files": lambda: collected(f"SELECT record_count, file_path FROM {table}.files ORDER BY record_count"),
        "partitions": lambda: collected(f"SELECT record_count, file_count FROM {table}.partitions ORDER BY record_count"),
        "entries": lambda: collected(f"SELECT status FROM {table}.entries"),
        "manifests": lambda: collected(f"SELECT added_data_files_count, existing_data_files_count, deleted_data_files_count FROM {table}.manifests"),
        "before": lambda: collected(f"SELECT {listed} FROM {table} VERSION AS OF {for_snapshot}"),
        "where": lambda: collected(f"SELECT {listed} FROM {table} WHERE {where}"),
        "plan": plan,
    }
    answers = {name: known[name]() for name in question["ask"]}
    session.stop()
    return answers


def by_polars():
    import polars

    frame = polars.scan_iceberg(question["metadata"]).select(columns).collect()
    return {"rows": [[text(cell) for cell in row] for row in frame.iter_rows()]}


def by_daft():
    import daft
    from pyiceberg.table import StaticTable

    table = StaticTable.from_metadata(question["metadata"])
    frame = daft.read_iceberg(table).select(*columns).to_pylist()
    return {"rows": [[text(row[name]) for name in columns] for row in frame]}


answer = {"spark": by_spark, "polars": by_polars, "daft": by_daft}[question["reader"]]()
json.dump(answer, sys.stdout)
