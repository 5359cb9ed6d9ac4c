"""Connections to web servers, which threads share and keep, through the proxies of the environment.

urllib3 takes half the CPU time of httpx for a request, which counts where a model is faster than a server's files come.
"""

import os
import ssl
import threading
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from winnow.audio.remote.urls import host_of

CONNECT_SECONDS, READ_SECONDS = 10, 30
MOST_IDLE = 64  # connections to a host that are kept
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "winnow"}
THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}

_lock = threading.Lock()


def ask(method: str, url: str) -> Any:
    """Return the answer of a server, of which only the headers are read, and no redirect is followed.

    Give it to `leave` after use. Raises the errors of urllib3, and ValueError for what is not a URL.
    """
    with _lock:
        manager = manager_for(host_of(url))
    return manager.request(method, url, preload_content=False, redirect=False, retries=False)


def leave(answer: Any) -> None:
    """Keep the connection of an answer for the next one if all was read, and else close it."""
    if answer.length_remaining == 0:
        answer.drain_conn()
    else:
        answer.close()


@cache
def manager_for(host: str) -> Any:
    """Return the pools of connections of this process for the URL of a host."""
    return pools(proxy_of(host))


@cache
def pools(proxy: str | None) -> Any:
    """Return pools of connections through a proxy, or directly."""
    import urllib3

    options: dict[str, Any] = {
        "headers": HEADERS,
        "num_pools": MOST_IDLE,
        "maxsize": MOST_IDLE,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        "ssl_context": trusted(),
    }
    if proxy is None:
        return urllib3.PoolManager(**options)
    if proxy.startswith("socks"):
        from urllib3.contrib.socks import SOCKSProxyManager

        return SOCKSProxyManager(proxy.replace("socks5://", "socks5h://", 1), **options)  # the proxy resolves names
    parts = urlsplit(proxy)
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    return urllib3.ProxyManager(proxy, proxy_headers=urllib3.make_headers(proxy_basic_auth=user), **options)


def trusted() -> ssl.SSLContext:
    """Return the certificates that are trusted: those of SSL_CERT_FILE or SSL_CERT_DIR, or else Mozilla's."""
    import certifi

    folder = os.environ.get("SSL_CERT_DIR")
    file = os.environ.get("SSL_CERT_FILE") or (None if folder else certifi.where())
    return ssl.create_default_context(cafile=file, capath=folder)


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; None for this machine and for hosts of NO_PROXY."""
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme.lower()) or proxies.get("all")
    host = parts.hostname or ""
    if not proxy or host in THIS_MACHINE or proxy_bypass(f"{host}:{parts.port}" if parts.port else host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
