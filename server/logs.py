"""Log configuration that prevents forged log lines.

Control characters in file names and requests are escaped, so that they cannot begin a line of their own.
"""

from __future__ import annotations

import logging
from typing import Any

# Characters that move the cursor, colour a terminal, begin a line or change the direction of text.
_CONTROL = (*range(0x20), *range(0x7F, 0xA0))
_INVISIBLE = (*range(0x200E, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_ESCAPED = {code: f"\\x{code:02x}" for code in _CONTROL} | {code: f"\\u{code:04x}" for code in _INVISIBLE}


class SingleLineFormatter(logging.Formatter):
    """Formatter that writes a record as one line.

    The lines of a traceback follow it, indented.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).rstrip("\n").translate(_ESCAPED)

    def formatException(self, ei: Any) -> str:
        lines = super().formatException(ei).split("\n")
        return "\n".join(f"  {line.translate(_ESCAPED)}" for line in lines)


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "twobranch.server.logs.SingleLineFormatter", "format": "%(levelname)s: %(message)s"}
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}
    },
    "loggers": {
        # uvicorn and python_multipart warn of every malformed request: network scanners would fill the log.
        name: {"handlers": ["stderr"], "level": level, "propagate": False}
        for name, level in (("twobranch", "WARNING"), ("uvicorn", "ERROR"), ("python_multipart", "ERROR"))
    },
}
