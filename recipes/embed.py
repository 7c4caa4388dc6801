"""Write what a model makes of a whole folder: `python -m recipes.embed MODEL --data FOLDER --out OUT`.

MODEL is a bundled name, a folder or a hub id; FOLDER holds sounds, texts or pictures by the model's kind. OUT gets
Parquet files of so many items each, in the order of the names: one row an item and layer, or (`--pool none`) one row a
position and layer. A run that was stopped goes on after its last whole file; several processes under `torchrun` share
the files, and write the same ones as a single process.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from data2vec_core.checkpoints.card import MODALITIES
from data2vec_core.checkpoints.errors import CheckpointError
from data2vec_core.checkpoints.files import replacing
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.start import load_encoder
from data2vec_core.processing.any import modality_of
from recipes.devices import choose_device
from recipes.own.folders import Account, Limits, reason_for, scan
from recipes.own.representations import Reader, Window, open_reader, represent
from recipes.own.run_folder import claim

if TYPE_CHECKING:
    import pyarrow

SETTINGS_FILE: Final = "_settings.json"
"""Readers of Parquet folders pass over names that begin so."""
METADATA: Final = b"data2vec"
"""Key of the JSON in each file's own metadata."""
_FLUSH_BYTES = 1 << 24  # of vectors that wait to be written

Pool = Literal["mean", "none"]
Number = Literal["float32", "float16"]


def choose_layers(text: str, depth: int) -> tuple[int, ...]:
    """Layers by `all`, `last`, or numbers with commas: 0 is the input of the first block, `depth` the last output.

    Raises:
        ValueError: something else, or a layer that the model lacks.
    """
    if text == "all":
        return tuple(range(depth + 1))
    if text == "last":
        return (depth,)
    try:
        layers = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise ValueError(f"layers={text!r}: expected all, last, or numbers such as 0,4,8") from None
    if layers[0] < 0 or layers[-1] > depth:
        raise ValueError(f"layers={text!r}: the model has layers 0 to {depth}")
    return layers


def weights_digest(model: PretrainedModel) -> str:
    """Changes when any weight does."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]


@dataclass
class Embedding:
    """A folder on its way into Parquet files."""

    model: PretrainedModel
    reader: Reader
    out: Path
    layers: tuple[int, ...]
    pool: Pool
    number: Number
    shard_size: int
    """Items of a file."""
    batch: int
    facts: Mapping[str, Any]
    """For the metadata of each file."""

    @property
    def shards(self) -> int:
        """Files in all."""
        return -(-self.reader.folder.items // self.shard_size)

    def path(self, shard: int) -> Path:
        """Of a file."""
        return self.out / f"part-{shard:05d}.parquet"

    def items(self, shard: int) -> range:
        """Items in a file."""
        return range(self.reader.folder.items)[shard * self.shard_size : (shard + 1) * self.shard_size]

    def run(self, shards: Sequence[int]) -> Iterator[int]:
        """Write those files that are not there yet, each whole or not at all; yields how many items each has."""
        for shard in shards:
            for left_over in self.out.glob(f".{self.path(shard).name}.*"):  # of a run that was killed
                left_over.unlink()
            if not self.path(shard).is_file():
                with replacing(self.path(shard)) as temporary:
                    self._write(temporary, self.items(shard))
            yield len(self.items(shard))

    def schema(self) -> pyarrow.Schema:
        """Columns of a file."""
        import pyarrow as pa

        types = {float: pa.float64(), int: pa.int64(), str: pa.string()}
        columns = [("path", pa.string())]
        if self.facts["modality"] == "text":
            columns.append(("line", pa.int64()))
        columns.append(("layer", pa.int16()))
        if self.pool == "none":
            columns += [(name, types[kind]) for name, kind in self.reader.columns.items()]
        else:
            columns.append(("positions", pa.int64()))
        dim = self.model.config.hidden_size
        columns.append(("vector", pa.list_(pa.from_numpy_dtype(self.number), dim)))
        return pa.schema(columns, metadata={METADATA: json.dumps(dict(self.facts))})

    def _write(self, path: Path, items: range) -> None:
        import pyarrow.parquet as pq

        failures: dict[int, str] = {}

        def note(item: int, error: Exception) -> None:
            failures[item] = reason_for(error)

        states = represent(self.model, self.reader, items, self.layers, batch=self.batch, failed=note)
        with pq.ParquetWriter(path, self.schema()) as writer:
            rows = _Rows(writer, self.number)
            for window, hidden in _means(states, failures) if self.pool == "mean" else states:
                for layer, vectors in zip(self.layers, hidden, strict=True):
                    rows.add({**window.label, "layer": layer}, window.positions, vectors)
            rows.flush()
            named = [[self.reader.name(item), reason] for item, reason in failures.items()]
            writer.add_key_value_metadata({METADATA + b".failed": json.dumps(named)})


def _means(
    states: Iterator[tuple[Window, NDArray[np.float32]]], failures: Mapping[int, str]
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """One window an item, with the mean over all its positions: (layers, 1, dim). An item that could not be read to
    its end has none."""
    last: Window | None = None
    total: NDArray[np.float64] = np.zeros(0)
    count = 0

    def finished() -> Iterator[tuple[Window, NDArray[np.float32]]]:
        if last is not None and last.item not in failures and count:
            positions = {"positions": [count]}
            mean = (total / count).astype(np.float32)[:, None]
            yield Window(last.item, last.label, last.values, last.is_counted, positions), mean

    for window, hidden in states:
        if last is None or window.item != last.item:
            yield from finished()
            total, count = np.zeros((hidden.shape[0], hidden.shape[2])), 0
        last, total, count = window, total + hidden.sum(axis=1, dtype=np.float64), count + hidden.shape[1]
    yield from finished()


class _Rows:
    """Rows that wait to be written together."""

    def __init__(self, writer: Any, number: Number) -> None:
        self._writer, self._number = writer, number
        self._columns: dict[str, list[Any]] = {}
        self._vectors: list[NDArray[Any]] = []

    def add(self, same: Mapping[str, Any], columns: Mapping[str, Sequence[Any]], vectors: NDArray[np.float32]) -> None:
        """Rows with `vectors` (rows, dim), what differs between them, and what is the same in all."""
        for name, value in same.items():
            self._columns.setdefault(name, []).extend([value] * len(vectors))
        for name, values in columns.items():
            self._columns.setdefault(name, []).extend(values)
        self._vectors.append(vectors.astype(self._number))
        if sum(some.nbytes for some in self._vectors) > _FLUSH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write them as a group of the file."""
        import pyarrow as pa

        if not self._vectors:
            return
        schema = self._writer.schema
        vectors = np.concatenate(self._vectors)
        arrays = {name: pa.array(values, schema.field(name).type) for name, values in self._columns.items()}
        arrays["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        self._writer.write_table(pa.table(arrays, schema))
        self._columns, self._vectors = {}, []


def failures_in(paths: Sequence[Path]) -> Account:
    """Items that finished files lack because they could not be read."""
    import pyarrow.parquet as pq

    account = Account()
    for path in paths:
        metadata = pq.read_metadata(path).metadata
        for name, reason in json.loads(metadata[METADATA + b".failed"]):
            account.add(reason, name)
    return account


def prepare(options: argparse.Namespace) -> Embedding:
    """Check everything that can be checked beforehand.

    Raises:
        ValueError, CheckpointError: a sentence for the person at the command line.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise ValueError("Parquet files need pyarrow: python -m pip install -e '.[research]'") from None
    for name in ("batch", "shard_size"):
        if getattr(options, name) < 1:
            raise ValueError(f"{name}={getattr(options, name)}: at least 1")
    modality = modality_of(options.model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CheckpointWarning)  # heads are left out on purpose
        model = load_encoder(options.model, options.role)
    layers = choose_layers(options.layers, model.config.num_hidden_layers)
    device = choose_device(options.device, int(os.environ.get("LOCAL_RANK", "0")))
    limits = Limits()
    if modality == "audio":
        limits = Limits(min_seconds=model.config.receptive_field / 16_000)
    folder = scan(options.data, modality, limits=limits)
    reader = open_reader(folder, modality, options.model, model, seconds=options.window)
    settings = {
        "role": options.role,
        "weights": weights_digest(model),
        "modality": modality,
        "layers": list(layers),
        "pool": options.pool,
        "dtype": options.dtype,
        "shard_size": options.shard_size,
        "window": options.window if modality == "audio" else None,
        "items": folder.items,
        "content": folder.fingerprint(),
    }
    claim(options.out, settings, SETTINGS_FILE)
    versions = {"torch": torch.__version__, "pyarrow": pa.__version__}
    facts = {"model": options.model, **settings, "versions": versions}
    return Embedding(
        model=model.to(device),
        reader=reader,
        out=options.out,
        layers=layers,
        pool=options.pool,
        number=options.dtype,
        shard_size=options.shard_size,
        batch=options.batch,
        facts=facts,
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.embed", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help=f"bundled name, folder or hub id of a checkpoint ({', '.join(MODALITIES)})")
    parser.add_argument("--data", required=True, help="folder of sounds, texts or pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the Parquet files")
    parser.add_argument("--layers", default="last", help="all, last, or numbers such as 0,4,8; 0 is the blocks' input")
    parser.add_argument("--pool", choices=("mean", "none"), default="mean", help="none: one row a position (mean)")
    parser.add_argument("--role", choices=("student", "teacher"), default="student")
    parser.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of the vectors in the files"
    )
    parser.add_argument("--batch", type=int, default=16, help="windows in one pass")
    parser.add_argument("--shard-size", type=int, default=1000, help="items of a file")
    parser.add_argument("--window", type=float, default=30.0, help="seconds of sound in one pass, about")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    options = parser.parse_args(arguments)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        job = prepare(options)
    except (ValueError, CheckpointError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    shards = range(rank, job.shards, world)
    if rank == 0:
        print(job.reader.folder)
        layers = ", ".join(map(str, job.layers))
        print(f"{options.model} ({options.role}), layers {layers}; files of {job.shard_size:,} items: {job.shards:,}")
    with tqdm(total=sum(len(job.items(shard)) for shard in shards), unit="item", disable=None) as bar:
        for items in job.run(shards):
            bar.update(items)
    failed = failures_in([job.path(shard) for shard in shards])
    of_all = "" if world == 1 else f" (process {rank + 1} of {world})"
    print(f"{options.out}: {len(shards):,} file{'s' * (len(shards) != 1)} written{of_all}", flush=True)
    if failed.total:
        print(f"not read to the end: {failed}", file=sys.stderr)


if __name__ == "__main__":
    main()
