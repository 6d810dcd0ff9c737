"""Asks Loggia a question over gRPC, from Python.

    python3 -m venv venv
    venv/bin/pip install -r examples/python/requirements.txt
    venv/bin/python examples/python/client.py 'AmlRunEvent | summarize count() by OperationName'

The classes of messages and services are made from `proto/` when the example starts. A program of
your own would rather make them once:

    python -m grpc_tools.protoc -I proto --python_out=. --grpc_python_out=. proto/loggia/v1/*.proto

An answer is a stream: a header with the columns, pieces of one Arrow IPC stream, and a summary that
says what each shard sent and whether anything is missing. A wrong query fails with a gRPC status
whose details say where it is wrong.
"""

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

import grpc
import grpc_tools
import pyarrow as pa
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from grpc_tools import protoc

PROTO = Path(__file__).resolve().parents[2] / "proto"


def generated(name):
    """Makes the modules of `proto/loggia/v1/{name}.proto` and imports them."""
    google = Path(grpc_tools.__file__).parent / "_proto"
    source = str(PROTO / "loggia" / "v1" / f"{name}.proto")
    with tempfile.TemporaryDirectory() as folder:
        out = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
        if protoc.main(["protoc", f"-I{PROTO}", f"-I{google}", *out, source]) != 0:
            raise SystemExit(f"can't read {source}")
        sys.path.insert(0, folder)
        messages = importlib.import_module(f"loggia.v1.{name}_pb2")
        services = importlib.import_module(f"loggia.v1.{name}_pb2_grpc")
        sys.path.remove(folder)
    return messages, services


query_pb2, query_pb2_grpc = generated("query")


class Pieces:
    """Joins the Arrow pieces of an answer to one file that can be read, and keeps what is not rows."""

    def __init__(self, responses):
        self.responses = responses
        self.header = None
        self.summary = None
        self.buffer = b""
        self.closed = False

    def read(self, size=-1):
        while size < 0 or len(self.buffer) < size:
            response = next(self.responses, None)
            if response is None:
                break
            part = response.WhichOneof("part")
            if part == "header":
                self.header = response.header
            elif part == "summary":
                self.summary = response.summary
            elif part == "arrow":
                self.buffer += response.arrow
        size = len(self.buffer) if size < 0 else size
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken


def ask(stub, kql, workspaces=(), timespan=None, timeout=60):
    """Runs a query; gives its rows as a pyarrow table, and the summary.

    Without workspaces, all are read. A timespan is ISO 8601, such as `P1D` or `start/end`.
    """
    request = query_pb2.ExecuteRequest(kql=kql)
    request.scope.workspaces.extend(workspaces)
    if timespan:
        request.timespan.iso8601 = timespan
    pieces = Pieces(iter(stub.Execute(request, timeout=timeout)))
    with pa.ipc.open_stream(pieces) as reader:
        table = reader.read_all()
    # Rows end before the stream does: the summary comes last.
    pieces.read()
    if pieces.summary is None:
        raise EOFError("the answer has no end")
    return table, pieces.summary


def texts(column):
    """The cells of a column as text. Python's own times would lose the last digit of a tick."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.string())
    elif pa.types.is_duration(column.type):
        nanos = column.cast(pa.int64()).to_pylist()
        return ["" if n is None else f"{n / 1e9} s" for n in nanos]
    return ["" if cell is None else str(cell) for cell in column.to_pylist()]


def print_table(table):
    columns = [[name, *texts(table[name])] for name in table.column_names]
    widths = [max(map(len, column)) for column in columns]
    lines = list(zip(*columns))
    for cells in [lines[0], ["-" * width for width in widths], *lines[1:]]:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())
    print(f"({table.num_rows} rows)")


def print_shards(summary):
    print()
    for shard in sorted(summary.shards, key=lambda shard: shard.workspace):
        state = shard.error or "complete"
        print(f"shard {shard.workspace}: {shard.rows} rows, {shard.bytes} bytes, {state}")
    for incomplete in summary.incomplete:
        print(f"incomplete: {incomplete.message}")


def print_error(error):
    """Shows what a failed call says: the status, and from its details the place in the query."""
    print(f"{error.code().name}: {error.details()}", file=sys.stderr)
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            print(f"reason: {info.reason}", file=sys.stderr)
            if "line" in info.metadata:
                place = f"line {info.metadata['line']}, column {info.metadata['column']}"
                print(f"place: {place}", file=sys.stderr)
        elif detail.Is(query_pb2.Diagnostics.DESCRIPTOR):
            diagnostics = query_pb2.Diagnostics()
            detail.Unpack(diagnostics)
            for diagnostic in diagnostics.diagnostics:
                print(diagnostic.picture, file=sys.stderr)


def channel(server, ca):
    """Connects to `http://host:port`, or to `https://host:port` with the certificate of its CA."""
    scheme, _, address = server.partition("://")
    options = [("grpc.max_receive_message_length", 16 << 20)]
    if scheme != "https":
        return grpc.insecure_channel(address, options)
    roots = Path(ca).read_bytes() if ca else None
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(roots), options)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kql", help="the query")
    parser.add_argument("--server", default="http://127.0.0.1:8750")
    parser.add_argument("--ca", help="certificate of a private CA, for https")
    parser.add_argument("--workspace", action="append", default=[])
    parser.add_argument("--timespan")
    args = parser.parse_args()
    with channel(args.server, args.ca) as connection:
        stub = query_pb2_grpc.QueryStub(connection)
        try:
            table, summary = ask(stub, args.kql, args.workspace, args.timespan)
        except grpc.RpcError as error:
            print_error(error)
            return 1
    print_table(table)
    print_shards(summary)
    return 0


if __name__ == "__main__":
    sys.exit(main())
