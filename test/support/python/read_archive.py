"""Runs SQL of the pages over an archive with DuckDB, and reads its objects as other tools do. Prints JSON."""

import glob
import json
import sys

import duckdb
import zstandard

queries = json.load(sys.stdin)
rows = [[[str(value) for value in row] for row in duckdb.sql(query).fetchall()] for query in queries]
objects = sorted(glob.glob(".millrace/archive/**/*.jsonl.zst", recursive=True))


def lines_across_frames(name):
    with open(name, "rb") as file:
        with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as reader:
            return reader.read().count(b"\n")


json.dump({"rows": rows, "lines": sum(map(lines_across_frames, objects)), "objects": len(objects)}, sys.stdout)
