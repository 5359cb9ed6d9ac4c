"""URLs of files: which schemes are read, which names are relative to one, and what lies below another."""

import re
from functools import cache
from importlib.util import find_spec
from posixpath import normpath
from urllib.parse import quote, unquote, urlsplit

HTTP = ("http", "https")
STORES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "oci": "ocifs",
    "oss": "ossfs",
    "hf": "huggingface_hub",
}
"""Schemes of object stores, and the library with which fsspec reads them."""

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


def is_url(path: object) -> bool:
    """Tell whether a path is a URL with one of the schemes that are read, installed or not."""
    scheme = scheme_of(str(path))
    return scheme in HTTP or scheme in STORES


def scheme_of(path: str) -> str:
    """Return the scheme of a URL in small letters; "" for a path."""
    url = URL.match(path) if ":" in path else None
    return url[1].lower() if url else ""


def is_http(url: str) -> bool:
    return scheme_of(url) in HTTP


@cache
def missing_library(scheme: str) -> str | None:
    """Return the library that a scheme needs and that is not installed, if there is one."""
    library = STORES.get(scheme)
    return library if library and find_spec(library) is None else None


def host_of(url: str) -> str:
    """Return scheme and host, or store and bucket, without a user: what errors may tell of a URL."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}"


def join_url(folder: str, name: str) -> str:
    """Return the URL of a file with a name relative to the URL of a folder; `..` never leads out of its host."""
    host = host_of(folder)
    path = normpath(f"/{folder.removeprefix(host).strip('/')}/")
    joined = normpath(f"{path}/{quote(name) if is_http(folder) else name}")
    return f"{host}/{joined.lstrip('/')}"


def parent_of(url: str) -> str:
    """Return the URL of the folder of a file, without a query."""
    if is_http(url):
        url = re.split("[?#]", url)[0]
    host = host_of(url)
    return max(url.rpartition("/")[0], host, key=len)


def name_of(url: str) -> str:
    """Return the last part of a URL's path, as the name of a local file."""
    path = urlsplit(url).path if is_http(url) else url
    return unquote(path.rstrip("/").rpartition("/")[2]).replace("/", "_").replace("\0", "_")
