"""The SQLite database: how it is opened, migrated, and made to forget."""

import asyncio
import logging
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

logger = logging.getLogger(__name__)

MIGRATIONS = Path(__file__).parent / "migrations"
CHECKPOINT_TRIES = 5
PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # a commit is on the disk before it is answered
    "PRAGMA secure_delete=ON",  # what is deleted is overwritten with zeros
    "PRAGMA temp_store=MEMORY",  # no copy of a voiceprint in a temporary file
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)


def connect(url: str) -> AsyncEngine:
    """Make the engine for an ``sqlite+aiosqlite`` URL; its folder is made where it is missing.

    One connection, so that no reader of our own ever keeps a checkpoint from truncating the log; the
    queries are short, and what live streams need is cached. Parameters stay out of error messages.
    """
    if path := make_url(url).database:
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_async_engine(
        url, poolclass=AsyncAdaptedQueuePool, pool_size=1, max_overflow=0, hide_parameters=True
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    return engine


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema up to date."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def forget_deleted(engine: AsyncEngine) -> None:
    """Write the log back into the database and cut it to nothing, and with it what was deleted.

    Another process that is reading can hold this up; the next deletion or start then does it.
    """
    for attempt in range(CHECKPOINT_TRIES):
        async with engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            busy = (await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))).scalar_one()
        if not busy:
            return
        await asyncio.sleep(0.1 * (attempt + 1))
    logger.warning("the write-ahead log could not be truncated after a deletion: another process reads it")
