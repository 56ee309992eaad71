"""Reads a table of the lake as others do, and writes its rows as JSON lists of texts, in order of the columns given: READER METADATA_OR_FOLDER COLUMN... """

import json
import sys
from decimal import Decimal

reader, place, *columns = sys.argv[1:]


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


def by_pyiceberg():
    from pyiceberg.table import StaticTable

    arrow = StaticTable.from_metadata(place).scan().to_arrow()
    return zip(*(arrow.column(name).to_pylist() for name in columns))


def by_duckdb():
    import os
    import site

    import duckdb

    connection = duckdb.connect(config={"threads": 1})
    for name in ("avro", "iceberg"):
        for folder in site.getsitepackages():
            path = os.path.join(folder, f"duckdb_extension_{name}/extensions/v{duckdb.__version__}/{name}.duckdb_extension")
            if os.path.exists(path):
                connection.execute(f"LOAD '{path}'")
    connection.execute("SET TimeZone = 'UTC'")
    listed = ", ".join(f'"{name}"' for name in columns)
    return connection.execute(f"SELECT {listed} FROM iceberg_scan(?)", [place]).fetchall()


def by_clickhouse():
    import chdb

    listed = ", ".join(
        f"toUnixTimestamp64Milli({name.split(':')[0]})" if name.endswith(":time") else f'toString("{name}")' for name in columns
    )
    rows = chdb.query(f"SELECT {listed} FROM icebergLocal('{place}')", "JSONCompactEachRow")
    return [json.loads(line) for line in str(rows).splitlines()]


rows = {"pyiceberg": by_pyiceberg, "duckdb": by_duckdb, "clickhouse": by_clickhouse}[reader]()
json.dump([[text(value) for value in row] for row in rows], sys.stdout)
