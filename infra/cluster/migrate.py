"""`python -m infra.cluster.migrate`: brings Prefect's database up to date; of several at a time, one does the work.

Every pod of the server runs it before it starts. An advisory lock lets the first one through and the others wait, who
then find nothing to do.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from tasks.errors import BacksightError, UsageError

if TYPE_CHECKING:
    import asyncpg

URL = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
LOCK = 0x6261636B
"""Any number that no other user of this database locks."""
PATIENCE = 300.0
"""Seconds in which Postgres is to come up."""


def main() -> None:
    """Migrate; leaves with a sentence where that fails."""
    url = os.environ.get(URL)
    if url is None:
        raise UsageError(f"{URL} is not set: it names the database to migrate.")
    asyncio.run(migrate(url))


async def migrate(url: str, patience: float = PATIENCE) -> None:
    """Hold the lock and let Prefect migrate."""
    connection = await connected(url, patience)
    try:
        # The database's own limit on statements must not end the wait for others.
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        done = subprocess.run([sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"])
    finally:
        await connection.close()
    if done.returncode != 0:
        raise BacksightError(f"Prefect's migration left with code {done.returncode}: see its words above.")


async def connected(url: str, patience: float) -> asyncpg.Connection:
    """A connection, as soon as Postgres gives one."""
    import asyncpg

    address = url.replace("postgresql+asyncpg://", "postgresql://", 1)
    deadline = time.monotonic() + patience
    while True:
        try:
            return await asyncpg.connect(address, timeout=10)
        except asyncpg.InvalidPasswordError as error:
            raise BacksightError(f"Postgres refuses the password: is {URL} that of this database?") from error
        except (OSError, asyncpg.PostgresError) as error:
            if time.monotonic() > deadline:
                raise BacksightError(f"Postgres does not answer after {patience:.0f} s: {error}.") from error
        await asyncio.sleep(1)


if __name__ == "__main__":
    try:
        main()
    except BacksightError as error:
        sys.exit(f"error: {error}")
