"""A PostgreSQL server of a test, with an empty database of its own."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def find_programs() -> Path | None:
    """Return the folder with PostgreSQL's programs; Debian does not have them on the path."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return places[-1] if places else None


@contextmanager
def running_postgres(programs: Path) -> Iterator[str]:
    """Yield the URL of a database, as SQLAlchemy writes it; PostgreSQL does not run as root."""
    user = "postgres" if os.geteuid() == 0 else None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp())
    if user:
        shutil.chown(folder, user)

    def run(program: str, *words: str) -> None:
        command, log = [programs / program, "--pgdata", folder / "data", *words], folder.with_suffix(".log")
        with log.open("a") as output:  # the server keeps it open
            subprocess.run(command, user=user, cwd=folder, check=True, stdout=output, stderr=output)

    try:
        run("initdb", "--username", "prefect", "--auth", "trust", "--no-sync")
        run("pg_ctl", "--wait", "start", "-o", f"-h 127.0.0.1 -p {port} -k {folder}")
        try:
            yield f"postgresql+asyncpg://prefect@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "--wait", "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
        folder.with_suffix(".log").unlink(missing_ok=True)
