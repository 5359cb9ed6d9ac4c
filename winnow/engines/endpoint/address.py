"""Where an endpoint is, from a model's name and the environment, and the key that it gets."""

import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from winnow.audio.remote.connections import THIS_MACHINE
from winnow.errors import CheckpointError
from winnow.parameters.redaction import redact_text

PREFIX = "openai:"
NAME = re.compile(r"(?P<model>[^\s@]+)(?:@(?P<url>https?://\S+))?")
BASE_URL = "OPENAI_BASE_URL"
KEY = "OPENAI_API_KEY"
PLAIN_HTTP = "WINNOW_PLAIN_HTTP"
"""The variable with the hosts, separated by commas, that may be asked without TLS."""


class Endpoint(NamedTuple):
    """A model of a server; the URL has no slash at its end."""

    model: str
    url: str

    @property
    def name(self) -> str:
        """The name that needs no environment."""
        return f"{PREFIX}{self.model}@{self.url}"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def key_variables(self) -> tuple[str, str]:
        """The environment variables that may have the key: of this host alone, and of any."""
        return f"{KEY}_{re.sub('[^A-Z0-9]', '_', self.host.upper())}", KEY

    @property
    def key(self) -> str | None:
        return next((key for name in self.key_variables if (key := os.environ.get(name))), None)


def find_endpoint(name: str) -> Endpoint:
    """Return the endpoint that a model's name without its pin means; raises CheckpointError. Nothing is asked."""
    shown = redact_text(name)
    match = NAME.fullmatch(name.removeprefix(PREFIX))
    if match is None:
        raise CheckpointError(f"{shown}: expected {PREFIX}MODEL@https://HOST/v1")
    url = match["url"] or os.environ.get(BASE_URL)
    if not url:
        raise CheckpointError(
            f"{shown}: no endpoint: write {PREFIX}{match['model']}@https://HOST/v1, or set {BASE_URL}"
        )
    check_url(url, shown)
    return Endpoint(match["model"], url.rstrip("/"))


def check_url(url: str, shown: str) -> None:
    """Raise CheckpointError unless this is the base URL of an endpoint that may be asked."""
    try:
        parts = urlsplit(url)
        _, host = parts.port, parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or not parts.path.strip("/") or parts.query or parts.fragment:
        raise CheckpointError(f"{shown}: expected a base URL with its path and no query, such as https://HOST/v1")
    if parts.username is not None:
        raise CheckpointError(f"{shown}: credentials are not allowed in a URL: set {KEY}")
    trusted = {name.strip().lower() for name in os.environ.get(PLAIN_HTTP, "").split(",")}
    if parts.scheme == "http" and host not in THIS_MACHINE | trusted:
        raise CheckpointError(
            f"{shown}: whoever is between here and {host} could read key, audio and texts: use https, or set "
            f"{PLAIN_HTTP}={host}"
        )
