"""Log lines that nobody can forge: what a name or a request brings in stays on the lines of its record."""

from __future__ import annotations

import logging
from typing import Any

# What moves the cursor, colours a terminal, begins a line or turns the direction of text.
_CONTROL = (*range(0x20), *range(0x7F, 0xA0))
_INVISIBLE = (*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_ESCAPED = {code: f"\\x{code:02x}" for code in _CONTROL} | {code: f"\\u{code:04x}" for code in _INVISIBLE}


class OneRecord(logging.Formatter):
    """A record as one line; the lines of a traceback below it are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).rstrip("\n").translate(_ESCAPED)

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {line.translate(_ESCAPED)}" for line in lines)


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "twobranch.server.logs.OneRecord", "format": "%(levelname)s: %(message)s"}},
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
    },
    "loggers": {
        # These warn of each request or form that is none: every scanner in the network would fill the log.
        name: {"handlers": ["stderr"], "level": level, "propagate": False}
        for name, level in (("twobranch", "WARNING"), ("uvicorn", "ERROR"), ("python_multipart", "ERROR"))
    },
}
