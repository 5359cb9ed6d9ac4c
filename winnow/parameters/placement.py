"""Where models run: devices and Dask workers."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field

from winnow.parameters.redaction import redact_text
from winnow.parameters.settings import Count, Parameters, Positive, PositiveShare, given_flags

ADDRESSES = ("tcp://", "tls://")


class Placement(Parameters):
    """Which devices a pass runs on, and which part of a worker each of its shards takes."""

    pool: str | None = Field(
        None,
        title="Worker pool",
        description="Use only Dask workers that were started with this name as a resource (a100 for "
        '--resources "GPU=1 a100=1"). Default: workers with a GPU, or all workers if none has one',
    )
    device_id: str | None = Field(
        None,
        title="Devices",
        description="Use only the devices with these worker names, separated by commas: cuda:0,cuda:2. Default: any",
    )
    share: PositiveShare = Field(
        1.0,
        title="Share of a device",
        description="Part of a device (0 to 1) that one shard takes: with 0.25, four shards run at once",
    )
    cpus: Positive | None = Field(
        None,
        title="CPU cores",
        description="CPU cores that one shard takes, if workers state theirs (--resources CPU=16). Default: no limit",
    )
    memory: Positive | None = Field(
        None,
        title="Memory",
        description="Main memory in GB that one shard takes, if workers state theirs (--resources MEMORY=64). Default: "
        "no limit",
    )


class Dask(Parameters):
    """Dask workers: on this machine (`devices: local`), or wherever they joined a scheduler."""

    workers: Count | None = Field(
        None,
        title="CPU workers",
        description="Number of workers that --devices local starts on a machine without a GPU; they divide its cores. "
        "Default: 1",
    )
    tls_ca_file: Path | None = Field(
        None,
        title="TLS authority",
        description="Certificate of the authority that signed the scheduler's and workers' certificates",
    )
    tls_cert: Path | None = Field(None, title="TLS certificate", description="Certificate of this client")
    tls_key: Path | None = Field(None, title="TLS key", description="Private key of this client's certificate")
    allow_unencrypted: bool = Field(
        False,
        title="Allow unencrypted",
        description="Use a scheduler on the network without TLS. Whoever can reach it can run code there",
    )


def check_devices(value: str) -> str:
    """Return the option `devices`; raise ValueError unless it is one of its forms."""
    if value.startswith(ADDRESSES):
        return check_address(value)
    if value not in ("inline", "local") and (not value.endswith(".json") or "://" in value):
        raise ValueError(
            f"unknown devices {redact_text(value)!r}: expected inline, local, the address of a Dask scheduler "
            "(tcp://host:8786, tls://…) or its scheduler file (….json)"
        )
    return value


def check_address(value: str) -> str:
    """Return the address of a Dask scheduler; raise ValueError unless it is a protocol, a host and a port."""
    try:
        parts = urlsplit(value)
        plain = f"{parts.scheme}://{parts.netloc}" == value and "@" not in parts.netloc
        if value.startswith(ADDRESSES) and plain and parts.hostname and parts.port:
            return value
    except ValueError:  # such as a port that is not a number
        pass
    raise ValueError(
        f"{redact_text(value)!r} is not the address of a Dask scheduler: expected tcp://HOST:PORT or tls://HOST:PORT"
    )


def placement_complaints(devices: str, placements: Mapping[str, Placement], dask: Dask) -> Iterator[str]:
    """Say which options need other devices."""
    groups = {name: given_flags(name, options) for name, options in {**placements, "dask": dask}.items()}
    given = [flags for flags in groups.values() if flags]
    if devices == "inline" and given:
        yield f"{', '.join(given)}: not used, because --devices inline starts no workers"
    if devices != "local" and dask.workers:
        yield "--dask.workers: needs --devices local"
