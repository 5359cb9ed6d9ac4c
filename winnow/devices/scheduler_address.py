"""The address of a Dask scheduler: read from the option or its file, and checked before anything connects to it."""

import ipaddress
import json
import socket
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from winnow.errors import InsecureScheduler, NoScheduler, OptionError
from winnow.parameters.placement import ADDRESSES, Dask, check_address
from winnow.parameters.redaction import error_line

CONNECT_TIMEOUT = 5.0  # seconds for a scheduler's host to accept a connection
GREETING_TIMEOUT = 10.0  # seconds for a scheduler to send its first bytes: a busy one is slow
MAX_FILE_BYTES = 2**20  # a scheduler file has a few hundred


def require_scheduler(devices: str, options: Dask) -> str:
    """Return the address of the scheduler that `devices` names.

    Raises OptionError for a file that has none, InsecureScheduler, and NoScheduler if nothing listens there.
    """
    address = address_of(devices)
    refuse_exposed(address, address.startswith("tls://"), options)
    for name in ("tls_ca_file", "tls_cert", "tls_key"):
        if (file := getattr(options, name)) and not file.is_file():
            raise OptionError(f"--dask.{name.replace('_', '-')}: {file} is not a file")
    try:
        require_greeting(address)
    except OSError as error:
        raise no_scheduler(devices, address, error) from error
    return address


def address_of(devices: str) -> str:
    """Return the address that `devices` is, or that is in the scheduler file that it names."""
    return devices if devices.startswith(ADDRESSES) else read_scheduler_file(Path(devices))


def require_greeting(address: str) -> None:
    """Raise OSError unless something listens at the address and, without TLS, sends something at once, as Dask does."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port or 0), CONNECT_TIMEOUT) as connection:
        if parts.scheme == "tcp":
            connection.settimeout(GREETING_TIMEOUT)
            if not connection.recv(1):
                raise ConnectionResetError("it closed the connection")


def no_scheduler(devices: str, address: str, error: Exception) -> NoScheduler:
    """Return the error that no scheduler answers at this address."""
    place = address if devices == address else f"{address}, which {devices} names"
    return NoScheduler(
        f"no Dask scheduler answers at {place} ({error_line(error)}): start it (dask scheduler), or choose other "
        "--devices"
    )


def read_scheduler_file(file: Path) -> str:
    """Return the address in a file that `dask scheduler --scheduler-file` wrote; raise OptionError for any other."""
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise ValueError("not a small regular file")
        content = json.loads(file.read_text())
        address = content.get("address") if isinstance(content, dict) else None
        if not isinstance(address, str):
            raise ValueError("it has no address")
        return check_address(address)
    except FileNotFoundError as error:
        raise OptionError(f"{file}: no such scheduler file: start dask scheduler --scheduler-file {file}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise OptionError(
            f"{file}: not a scheduler file ({error_line(error)}): expected what dask scheduler --scheduler-file writes"
        ) from error


def refuse_exposed(address: str, encrypted: bool, options: Dask) -> None:
    """Raise InsecureScheduler if other machines reach a scheduler that accepts work from anybody."""
    host = urlsplit(address).hostname or ""
    with suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return
    if not encrypted and not options.allow_unencrypted and host != "localhost":
        raise InsecureScheduler(
            f"the Dask scheduler at {address} can be reached from other machines without encryption, so anybody there "
            "can run code on it: use TLS (tls://), bind it to 127.0.0.1, or set dask.allow_unencrypted"
        )
