"""One ONNX file as a function to unit rows.

The image tower may have a second output, the unit vectors of the cells of its grid. A file that does not fit
is reported in one line, when it is loaded or when it runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import ADVICE, CONFIG, first_line

Device = Literal["cpu", "cuda"]
PROVIDERS: dict[Device, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

CELLS = "cells"  # the name of the second output
# An input with a default, 0: the number of photos whose cells are computed. ONNX Runtime runs the nodes of
# all outputs, whichever are asked for; without this a photo's vector would take 12% longer.
CELLS_WANTED = "cells_wanted"
_OUTPUT = "tensor(float)"


@dataclass(frozen=True)
class Input:
    """A required input of a tower. ``shape`` has None where the size varies from run to run."""

    name: str
    type: str  # as ONNX Runtime spells it: "tensor(uint8)"
    shape: tuple[int | None, ...]
    source: str  # where the numbers in ``shape`` come from, for messages


class Tower:
    """The network in one file of a model folder. Threads may share it.

    A run uses only the calling thread. Batches run in parallel instead: no core is left waiting, and no
    thread of the runtime spins for more work while NumPy searches the vectors.
    """

    def __init__(self, path: Path, inputs: Sequence[Input], dim: int, device: Device = "cpu") -> None:
        """Load the file. Raises ``ModelError`` for an invalid file or one with other inputs or outputs."""
        self._path = path
        self._dim = dim
        self._sources = {one.name: one.source for one in inputs}
        self._session = _session(path, device)
        self._check_inputs(inputs)
        self._check_output()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Run the tower on inputs with N rows.

        Returns (N, D) float32, unit rows. Raises ``ModelError`` if the output is anything else. The check
        takes some microseconds, and keeps vectors that could not be searched out of a library.
        """
        n = len(next(iter(inputs.values())))
        rows = self._run_in_batches(inputs, n)
        if rows.shape != (n, self._dim):
            raise self._wrong(
                f"gives {_sizes(rows.shape)} numbers for {n} rows, and {CONFIG} says dim {self._dim}"
            )
        self._check_lengths(rows)
        return rows

    def cells(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Compute the cells of N photos, without their rows.

        Returns (N, h, w, D) float32, unit vectors. Raises ``ModelError`` as ``run`` does, and for a tower
        that gives no cells.
        """
        if not self.has_cells:
            raise self._wrong("gives no cells")
        n = len(next(iter(inputs.values())))
        wanted = {one.name: np.array([n]) for one in self._session.get_overridable_initializers()}
        cells = self._run(CELLS, {**inputs, **wanted})
        if cells.ndim != 4 or (cells.shape[0], cells.shape[3]) != (n, self._dim):
            raise self._wrong(
                f"gives {_sizes(cells.shape)} numbers as the cells of {n} photos, and {CONFIG} says dim "
                f"{self._dim}"
            )
        self._check_lengths(cells.reshape(-1, self._dim))
        return cells

    def _run_in_batches(self, inputs: Mapping[str, NDArray[Any]], n: int) -> NDArray[np.float32]:
        """Return the (n, D) float32 rows of ``n`` inputs.

        They are computed one by one where the file takes no more.
        """
        if not self._takes_one or n == 1:
            return self._run(self._rows_output, inputs)
        single = ({name: array[row : row + 1] for name, array in inputs.items()} for row in range(n))
        rows = [self._run(self._rows_output, one) for one in single]
        return np.concatenate(rows) if rows else np.empty((0, self._dim), dtype=np.float32)

    def _run(self, output: str, inputs: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Return one output."""
        try:
            (result,) = self._session.run([output], dict(inputs))
            return np.asarray(result)
        except Exception as error:  # onnxruntime's own exception types share no public base
            taken = ", ".join(
                f"{name} of {_sizes(array.shape)} ({self._sources[name]})"
                for name, array in inputs.items()
                if name in self._sources
            )
            if isinstance(error, MemoryError) or "allocate memory" in str(error):
                raise ModelError(
                    f"{self._path}: not enough memory for {taken}; close other programs"
                ) from None
            raise self._wrong(f"fails on {taken}: {first_line(error)}") from None

    def _check_lengths(self, rows: NDArray[np.float32]) -> None:
        """Raise ``ModelError`` unless all (n, D) rows are unit vectors."""
        squares = np.einsum("ij,ij->i", rows, rows)
        off = np.abs(squares - 1)
        if not (off < 0.01).all():  # also true for NaN
            raise self._wrong(f"gives vectors of length {np.sqrt(squares[off.argmax()]):g} rather than 1")

    def _check_inputs(self, inputs: Sequence[Input]) -> None:
        there = {one.name: one for one in self._session.get_inputs()}
        if there.keys() != {wanted.name for wanted in inputs}:
            names = " and ".join(wanted.name for wanted in inputs)
            raise self._wrong(f"takes {_listed(there)} rather than {names}, so it is another kind of tower")
        for wanted in inputs:
            found = there[wanted.name]
            if found.type != wanted.type:
                raise self._wrong(f"takes {wanted.name} as {found.type} rather than {wanted.type}")
            shape = [None if axis == 0 and size == 1 else size for axis, size in enumerate(found.shape)]
            if len(shape) != len(wanted.shape) or any(map(_differ, shape, wanted.shape)):
                raise self._wrong(
                    f"takes {wanted.name} of {_sizes(found.shape)} rather than {_sizes(wanted.shape)} "
                    f"({wanted.source})"
                )

        # Exporters of other projects may fix the number of rows, always at 1.
        self._takes_one = any(one.shape[:1] == [1] for one in there.values())

    def _check_output(self) -> None:
        """Find the two outputs. The rows come first; cells are optional."""
        outputs = self._session.get_outputs()
        self.has_cells = len(outputs) == 2 and outputs[1].name == CELLS
        self._rows_output = outputs[0].name
        if (
            len(outputs) != 1 + self.has_cells
            or outputs[0].type != _OUTPUT
            or len(outputs[0].shape) not in (0, 2)
        ):
            given = _listed(f"{one.name} ({one.type}, {len(one.shape)} axes)" for one in outputs)
            raise self._wrong(f"gives {given} rather than one {_OUTPUT} of 2 axes")
        size = outputs[0].shape[-1] if outputs[0].shape else None
        if isinstance(size, int) and size != self._dim:
            raise self._wrong(f"gives vectors of {size:,} numbers, and {CONFIG} says dim {self._dim:,}")

    def _wrong(self, fact: str) -> ModelError:
        return ModelError(f"{self._path}: {fact}; {ADVICE}")


def _session(path: Path, device: Device) -> Any:
    import onnxruntime

    if os.environ.get("ORT_DISABLE_TELEMETRY") == "1":  # for Windows, where the system sends telemetry
        onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are also raised; the rest of the log is not for users
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False  # a plan for each batch size costs memory and saves no time
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[PROVIDERS[device]])
    except Exception as error:  # onnxruntime's own exception types share no public base
        reason = first_line(error).replace(f"{path}", path.name) if path.is_file() else "no such file"
        raise ModelError(f"{path}: the tower cannot be loaded ({reason}); {ADVICE}") from None
    if PROVIDERS[device] not in session.get_providers():  # ONNX Runtime falls back silently
        raise ModelError(f"{path}: the tower does not run on {device} here; use --device cpu")
    return session


def _differ(found: int | str | None, wanted: int | None) -> bool:
    """Return True if an axis has a fixed size other than ``wanted``.

    An axis of variable size has a name instead.
    """
    return isinstance(found, int) and found != wanted


def _sizes(shape: Sequence[int | str | None]) -> str:
    return " x ".join(str(size) if isinstance(size, int) else "any" for size in shape) or "one number"


def _listed(names: Any) -> str:
    return ", ".join(names) or "nothing"
