"""Failures of object stores in words: which bucket, what is wrong, and what to check.

The libraries behind a store raise many kinds of errors, of which only some are OSErrors. They are known here by the
code that raised them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

from winnow.errors import StoreError, WinnowError
from winnow.parameters.redaction import error_line, redact_text

LIBRARIES = ("fsspec", "s3fs", "gcsfs", "adlfs", "upath", "botocore", "aiobotocore", "aiohttp")

REFUSED = (
    *("NoCredentials", "PartialCredentials", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("ExpiredToken", "InvalidToken", "AccountProblem", "Forbidden", "403", "PermissionError", "RefreshFailed"),
)
NOT_INSTALLED = ("ImportError",)
MISSING = ("NoSuchBucket", "InvalidBucketName", "ParamValidation")
UNREACHABLE = ("Connect", "Timeout", "HTTPClient", "ServerDisconnected", "gaierror", "SSLError", "ProxyError")


@contextmanager
def explain_store_errors(place: Path) -> Iterator[None]:
    """Raise StoreError instead of what the library of an object store raises in the block."""
    try:
        yield
    except WinnowError:
        raise
    except Exception as error:
        if (explained := store_error(error, place)) is None:
            raise
        raise explained from error


def store_error(error: BaseException, place: Path | None = None) -> StoreError | None:
    """Return what an error of a store means; None for an error that no store has raised, or a file that is missing."""
    if not raised_by_a_store(error):
        return None
    names = kinds(error)
    if isinstance(error, FileNotFoundError | FileExistsError | NotADirectoryError) and not matches(names, MISSING):
        return None
    bucket = redact_text(bucket_of(place)) if place else "the object store"
    cause = error_line(error)
    if matches(names, NOT_INSTALLED):
        return StoreError(f"{bucket}: the library for this kind of store is missing ({cause})")
    if matches(names, MISSING):
        return StoreError(f"{bucket}: there is no such bucket ({cause}): check its name and AWS_ENDPOINT_URL")
    if matches(names, REFUSED):
        return StoreError(
            f"{bucket}: the object store refuses access ({cause}): check the credentials in the environment "
            "(AWS_ACCESS_KEY_ID and so on) and the permissions of the bucket"
        )
    if matches(names, UNREACHABLE):
        return StoreError(
            f"{bucket}: the object store does not answer ({cause}): check the network, the proxy and AWS_ENDPOINT_URL; "
            "`winnow resume` continues a run",
            retryable=True,
        )
    return StoreError(f"{bucket}: the object store failed ({cause}); `winnow resume` continues a run", retryable=True)


def raised_by_a_store(error: BaseException) -> bool:
    modules = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(module.partition(".")[0] in LIBRARIES for module in modules)


def kinds(error: BaseException | None) -> list[str]:
    """Return the classes of an error and of its causes, and the codes that the store answered with."""
    names: list[str] = []
    while error is not None:
        names += [parent.__name__ for parent in type(error).__mro__]
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            names.append(str(response.get("Error", {}).get("Code", "")))
        error = error.__cause__ or error.__context__
    return names


def matches(names: list[str], parts: tuple[str, ...]) -> bool:
    return any(part in name for name in names for part in parts)


def bucket_of(place: Path) -> str:
    """Return a store and its bucket, such as s3://bucket."""
    scheme, _, rest = str(place).partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
