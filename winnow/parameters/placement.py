"""Where models run: devices, and Dask workers."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from winnow.parameters.settings import Parameters


class Placement(Parameters):
    """Which devices a pass runs on, and how much of one each of its shards takes."""

    pool: str | None = Field(
        None,
        title="Worker pool",
        description="Only workers of this pool, which a Dask worker belongs to by its resources "
        '(--resources "GPU=1 a100=1": GPU, and the pool a100); empty: those with a GPU, or all where there is none',
    )
    device_id: str | None = Field(
        None,
        title="Devices by name",
        description="Only these devices, by the names of their workers, such as cuda:0,cuda:2; empty: any",
    )
    share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, title="Share of a device", description="What a shard takes of a device (0 to 1): at 0.25, four run at once"
    )
    cpus: Annotated[float, Field(gt=0)] | None = Field(
        None,
        title="Cores",
        description="Cores that a shard takes of its worker beside, of those that it has (--resources CPU=16)",
    )
    memory: Annotated[float, Field(gt=0)] | None = Field(
        None,
        title="Memory",
        description="Gigabytes of main memory that a shard takes of its worker, of those that it has "
        "(--resources MEMORY=64)",
    )


class Dask(Parameters):
    """Dask workers: on this machine (devices: local), or wherever they joined a scheduler."""

    workers: Annotated[int, Field(ge=1)] | None = Field(
        None,
        title="CPU workers",
        description="Of devices: local, on a machine without a GPU; they divide its cores. Empty: one",
    )
    tls_ca_file: Path | None = Field(None, title="TLS authority", description="Certificate that workers are checked by")
    tls_cert: Path | None = Field(None, title="TLS certificate", description="This client's certificate")
    tls_key: Path | None = Field(None, title="TLS key", description="The key of this client's certificate")
    allow_unencrypted: bool = Field(
        False,
        title="Allow unencrypted",
        description="Whether a scheduler that other machines reach is used without TLS: who reaches it runs code there",
    )
