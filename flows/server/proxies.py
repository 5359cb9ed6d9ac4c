"""Proxies in the environment: usable, and never asked for this machine, where a run's own server listens."""

import os
from collections.abc import MutableMapping
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

from winnow.errors import OptionError
from winnow.parameters.redaction import error_line, redact_text

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
SCHEMES = ("http", "https", "all")


def exempt_this_machine(environment: MutableMapping[str, str] = os.environ) -> None:
    """Add this machine to NO_PROXY if a proxy is set, for this process and those that it starts."""
    set_names = {name.lower() for name, value in environment.items() if value}
    if not set_names & {f"{scheme}_proxy" for scheme in SCHEMES}:
        return
    exempt = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host for item in exempt.split(",") if (host := item.strip())]
    if "*" in hosts:
        return
    hosts += [host for host in THIS_MACHINE if host not in hosts]
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join(hosts)


def require_usable_proxies() -> None:
    """Raise OptionError unless Prefect and the model hubs can use the proxies in the environment, and NO_PROXY."""
    import httpx

    for scheme, proxy in getproxies_environment().items():
        if scheme not in SCHEMES or not proxy:
            continue
        try:
            require_usable(proxy)
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise OptionError(
                f"{scheme.upper()}_PROXY={redact_text(proxy)}: not a proxy that can be used ({error_line(error)}): "
                "expected http://HOST:PORT or socks5://HOST:PORT in the environment"
            ) from error
    try:
        httpx.Client().close()
    except (ValueError, httpx.InvalidURL) as error:
        raise OptionError(f"NO_PROXY: {error_line(error)}: expected names of hosts, separated by commas") from error


def require_usable(proxy: str) -> None:
    """Raise ValueError, ImportError or InvalidURL for a proxy of an unknown kind, or one without a host."""
    import httpx

    url = proxy if "://" in proxy else f"http://{proxy}"
    httpx.HTTPTransport(proxy=url).close()
    parts = urlsplit(url)
    if not parts.hostname or parts.port == 0:  # `port` raises ValueError above 65535
        raise ValueError("no host, or port 0")
