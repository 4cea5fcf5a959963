"""Makes a table of many conversations, and copies one as pyarrow does: what `export.rs` holds exports against.

    export.py make FOLDER TURNS OUT    of the conversations in parquet/conversations of FOLDER as many as have so many turns
    export.py copy FOLDER OUT          reads that table row group by row group, and writes it with the options of exports
"""

import pathlib
import random
import resource
import sys
import time

import pyarrow
import pyarrow.compute
import pyarrow.parquet

# As src/files/parquet.rs has them.
GROUP_ROWS = 10_000
OPTIONS = {
    "compression": "zstd",
    "compression_level": 3,
    "write_page_index": True,
    "use_content_defined_chunking": True,
}
SHARD = 10_000


def tables(folder):
    return sorted(pathlib.Path(folder, "parquet", "conversations").glob("*.parquet"))


def make(folder, turns, out):
    """The same conversations again and again, in another order each time and each with an id of its own."""
    seed = pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in tables(folder)])
    number = seed.schema.get_field_index("conversation_id")
    chance = random.Random(7)
    folder = pathlib.Path(out, "parquet", "conversations")
    folder.mkdir(parents=True)
    rows = told = shard = 0
    while told < turns:
        path = folder / f"bench-{shard:05}.parquet"
        with pyarrow.parquet.ParquetWriter(path, seed.schema, **OPTIONS) as writer:
            for _ in range(max(1, SHARD // seed.num_rows)):
                table = seed.take(chance.sample(range(seed.num_rows), seed.num_rows))
                ids = [f"conv_{rows + row:09}" for row in range(seed.num_rows)]
                table = table.set_column(number, seed.schema.field(number), pyarrow.array(ids))
                writer.write_table(table, row_group_size=GROUP_ROWS)
                rows += seed.num_rows
                told += pyarrow.compute.sum(table["n_turns"]).as_py()
                if told >= turns:
                    break
        shard += 1
    print(rows, told)


def copy(folder, out):
    began = time.perf_counter()
    schema = pyarrow.parquet.read_schema(tables(folder)[0])
    with pyarrow.parquet.ParquetWriter(out, schema, **OPTIONS) as writer:
        for path in tables(folder):
            file = pyarrow.parquet.ParquetFile(path)
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group), row_group_size=GROUP_ROWS)
    seconds = time.perf_counter() - began
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if sys.argv[1] == "make":
    make(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    copy(sys.argv[2], sys.argv[3])
