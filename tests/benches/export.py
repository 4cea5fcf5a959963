"""Makes a table of many conversations, and copies one as pyarrow does: what `export.rs` holds exports against.

    export.py make FOLDER TURNS OUT    of the conversations in parquet/conversations of FOLDER as many as have so many turns
    export.py copy FOLDER OUT          reads that table row group by row group, and writes it with the options of exports
"""

import itertools
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


def turned(messages, chance):
    """Messages whose texts begin elsewhere, so that none is another's and none is in a dictionary."""
    lists = messages.combine_chunks()
    structs = lists.flatten()
    at = structs.type.get_field_index("content")
    texts = [text[(cut := int(chance.random() * len(text))) :] + text[:cut] for text in structs.field(at).to_pylist()]
    fields = [structs.field(number) for number in range(structs.type.num_fields)]
    fields[at] = pyarrow.array(texts, structs.type.field(at).type)
    values = pyarrow.StructArray.from_arrays(fields, fields=list(structs.type))
    lengths = pyarrow.compute.list_value_length(lists).to_pylist()
    offsets = pyarrow.array([0, *itertools.accumulate(lengths)], pyarrow.int32())
    return pyarrow.ListArray.from_arrays(offsets, values, type=lists.type)


def make(folder, turns, out):
    """The same conversations again and again, in another order each time, each with an id of its own and its texts turned."""
    seed = pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in tables(folder)])
    chance = random.Random(7)
    folder = pathlib.Path(out, "parquet", "conversations")
    folder.mkdir(parents=True)
    rows = told = shard = 0
    while told < turns:
        parts = [seed.take(chance.sample(range(seed.num_rows), seed.num_rows)) for _ in range(SHARD // seed.num_rows)]
        table = pyarrow.concat_tables(parts)
        columns = {"conversation_id": pyarrow.array([f"conv_{rows + row:09}" for row in range(table.num_rows)])}
        columns |= {name: turned(table[name], chance) for name in ("messages", "messages_with_tools")}
        for name, column in columns.items():
            number = seed.schema.get_field_index(name)
            table = table.set_column(number, seed.schema.field(number), column)
        path = folder / f"bench-{shard:05}.parquet"
        pyarrow.parquet.write_table(table, path, row_group_size=GROUP_ROWS, **OPTIONS)
        rows += table.num_rows
        told += pyarrow.compute.sum(table["n_turns"]).as_py()
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
