"""How a role writes its log: a line for each event, on stderr."""

import logging
import os
import sys
from collections.abc import Sequence
from enum import StrEnum

import structlog
from structlog.typing import EventDict, Processor


class LogFormat(StrEnum):
    """``LBAAS_LOG_FORMAT``."""

    LOGFMT = "logfmt"
    JSON = "json"


def configure(form: LogFormat | None = None) -> None:
    """Events are lines of *form*; of what ``LBAAS_LOG_FORMAT`` says if that is None, of logfmt if it says nothing.

    Each has its time, its level and what is bound to its context, as a request's id; what libraries warn of, too.
    Tracebacks have no local variables: those hold secrets. Raises ValueError for a format that is none.
    """
    form = form or LogFormat(os.environ.get("LBAAS_LOG_FORMAT", LogFormat.LOGFMT))
    common: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    )
    structlog.configure(
        processors=[*common, _renderer(form)],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        level=logging.WARNING, handlers=[_of_libraries(common, _renderer(form))], force=True
    )


def _of_libraries(common: Sequence[Processor], renderer: Processor) -> logging.Handler:
    """Writes what goes through the standard library's loggers."""
    last = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *common], processors=last
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def _renderer(form: LogFormat) -> Processor:
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    logfmt = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    return lambda logger, name, event: logfmt(logger, name, _spaced(event))


def _spaced(event: EventDict) -> EventDict:
    """Lists, for which logfmt has no form, as words with spaces between."""
    return {
        key: " ".join(map(str, value)) if isinstance(value, list) else value
        for key, value in event.items()
    }
