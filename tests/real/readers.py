"""Reads one table as pyarrow, polars, DuckDB and `datasets` do, from each format that it is in, and compares what they read.

The lines of JSON are what the others are compared with, as Python's own `json` reads them. Where a value is null, the formats
differ in whether it is written: that is no difference, but within JSON (tools, arguments of calls), where nulls are data.
"""

import argparse
import datetime
import glob
import json
import math
import sys
import tempfile

import datasets
import duckdb
import polars
import pyarrow
import pyarrow.dataset
import pyarrow.json

# Texts that are JSON. Readers that know the type `arrow.json` hand out what it says.
JSON = ("tools", "arguments")
TIMES = ("timestamp",)


def plain(value, name=None):
    """A value as all readers could have read it."""
    if name in JSON:
        return json.loads(value) if isinstance(value, str) else value
    if name in TIMES:
        time = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
        return time if time.tzinfo else time.replace(tzinfo=datetime.timezone.utc)
    if isinstance(value, dict):
        return {key: plain(of, key) for key, of in value.items() if of is not None}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def difference(found, expected, path):
    """The first place where two values differ, or none."""
    if type(found) is not type(expected) and {type(found), type(expected)} != {int, float}:
        return f"{path}: {found!r:.200} is not {expected!r:.200}"
    if isinstance(expected, dict):
        for key in [*expected, *found]:
            if key not in found or key not in expected:
                return f"{path}.{key}: {'missing' if key in expected else 'invented'}"
            if below := difference(found[key], expected[key], f"{path}.{key}"):
                return below
        return None
    if isinstance(expected, list):
        if len(found) != len(expected):
            return f"{path}: {len(found)} of {len(expected)}"
        pairs = enumerate(zip(found, expected))
        return next((d for at, (one, other) in pairs if (d := difference(one, other, f"{path}[{at}]"))), None)
    # Numbers of 32 bits are written with as many digits as tell them apart, and `datasets` writes lines anew with ten.
    same = math.isclose(found, expected, rel_tol=1e-7) if isinstance(found, float) else found == expected
    return None if same else f"{path}: {found!r:.200} is not {expected!r:.200}"


def by_pyarrow(kind, files):
    if kind == "jsonl":
        # Blocks have to hold a line.
        blocks = pyarrow.json.ReadOptions(block_size=1 << 26)
        return [row for file in files for row in pyarrow.json.read_json(file, read_options=blocks).to_pylist()]
    return pyarrow.dataset.dataset(files, format=kind).to_table().to_pylist()


def by_polars(kind, files):
    if kind == "parquet":
        return polars.read_parquet(files).to_dicts()
    if kind == "arrow":
        return polars.concat([polars.read_ipc(file) for file in files]).to_dicts()
    return polars.concat([polars.read_ndjson(file, infer_schema_length=None) for file in files]).to_dicts()


def by_duckdb(kind, files):
    with duckdb.connect() as database:
        database.execute("set TimeZone = 'UTC'")
        if kind == "parquet":
            rows = database.execute("select * from read_parquet($files)", {"files": files})
        elif kind == "arrow":
            # It reads such files by pyarrow.
            database.register("conversations", pyarrow.dataset.dataset(files, format="arrow").to_table())
            rows = database.execute("select * from conversations")
        else:
            rows = database.execute("select * from read_json($files, sample_size = -1)", {"files": files})
        names = [column[0] for column in rows.description]
        return [dict(zip(names, row)) for row in rows.fetchall()]


def by_datasets(kind, files):
    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        builder = "json" if kind == "jsonl" else kind
        return list(datasets.load_dataset(builder, data_files=files, split="train", cache_dir=cache))


READERS = {"pyarrow": by_pyarrow, "polars": by_polars, "duckdb": by_duckdb, "datasets": by_datasets}


def typed(row):
    """What is wrong with the types of a row that comes from columns with types."""
    # That of a conversation is a mean of those of its turns.
    score = float if "n_turns" in row else int
    kinds = {"timestamp": datetime.datetime, "n_turns": int, "judge_score": score, "messages": list, "personas": dict}
    for name, kind in kinds.items():
        if name in row and row[name] is not None and type(row[name]) is not kind:
            return f"{name} is {type(row[name]).__name__}, not {kind.__name__}"
    if "timestamp" in row and row["timestamp"].utcoffset() != datetime.timedelta(0):
        return "timestamp is not in UTC"
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    kinds = ("parquet", "arrow", "jsonl")
    for kind in kinds:
        arguments.add_argument(f"--{kind}", metavar="GLOB", required=kind == "jsonl")
    told = vars(arguments.parse_args())
    files = {kind: sorted(glob.glob(told[kind])) for kind in kinds if told[kind]}
    expected = [plain(json.loads(line)) for file in files["jsonl"] for line in open(file, encoding="utf-8")]
    wrong = False
    for kind in files:
        for name, read in READERS.items():
            try:
                rows = read(kind, files[kind])
            except Exception as error:  # the others are read all the same
                wrong = True
                print(f"{name} {kind}: {type(error).__name__}: {error}"[:1000])
                continue
            problem = next(filter(None, map(typed, rows)), None) if kind != "jsonl" else None
            problem = problem or difference([plain(row) for row in rows], expected, "")
            wrong |= bool(problem)
            print(f"{name} {kind}: {problem or f'{len(rows)} rows'}")
    sys.exit(wrong)


main()
