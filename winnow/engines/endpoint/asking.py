"""One request to an endpoint, and what its failure means: for the row, for now, or for the run."""

import json
from http import HTTPStatus
from http.client import responses
from typing import Any

import httpx

from winnow.audio.remote.connections import CONNECT_SECONDS, THIS_MACHINE
from winnow.audio.remote.failures import MayPass, Unreachable
from winnow.audio.remote.pace import Pace
from winnow.audio.remote.pauses import pause, seconds_asked
from winnow.audio.remote.web import PASSING
from winnow.engines.endpoint.address import Endpoint
from winnow.engines.endpoint.reading import Reply
from winnow.engines.endpoint.traffic import LONGEST_WAIT, START_DELAYS
from winnow.errors import CheckpointError, EndpointUnavailable
from winnow.printable import one_line

MOST_BYTES = 2**24  # of an answer
MOST_WORDS = 200  # characters of an error's message
BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
NO_KEY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
NOT_THERE = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}
NO_LIST = NOT_THERE | {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_IMPLEMENTED}


class Refused(Exception):
    """The endpoint does not transcribe this request, and never will."""


class Busy(MayPass):
    """The endpoint has no time for any request now."""


class Line:
    """The connections to an endpoint. Redirects are not followed, so the key goes to no other host."""

    def __init__(self, endpoint: Endpoint, seconds: float, connections: int = 1) -> None:
        self.endpoint, self.key = endpoint, endpoint.key
        if self.key and not (self.key.isascii() and self.key.isprintable()):
            raise CheckpointError(
                f"{endpoint.url}: its key has characters that no key has, such as an accent or a line end"
            )
        headers = {"Accept-Encoding": "identity", "User-Agent": "winnow"}
        self.client = httpx.Client(
            headers=headers | ({"Authorization": f"Bearer {self.key}"} if self.key else {}),
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            trust_env=endpoint.host not in THIS_MACHINE,
        )

    def ask(self, method: str, path: str, **content: Any) -> Reply:
        """Return the answer. Raises MayPass, Refused, and CheckpointError for what no request would be answered for."""
        status, reply, after = self.exchange(method, path, **content)
        if status == HTTPStatus.OK:
            return reply
        said = f"{status} {responses.get(status, '')}".strip()
        if status in NO_KEY:
            known = f"the key in {' or '.join(self.endpoint.key_variables)}" if self.key else "requests without a key"
            raise CheckpointError(f"{self.endpoint.name}: the endpoint refuses {known} ({said})")
        if status in NOT_THERE:
            raise CheckpointError(
                f"{self.endpoint.name}: the endpoint has no such model, or transcribes nothing ({said})"
            )
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise CheckpointError(
                f"{self.endpoint.name}: the endpoint is elsewhere ({said}): give the URL that it leads to"
            )
        if status in PASSING:
            raise (Busy if status in BUSY else MayPass)(said, after)
        words = self.message_in(reply.content)
        raise Refused(f"{said}: {words}" if words else said)

    def exchange(self, method: str, path: str, **content: Any) -> tuple[int, Reply, float]:
        """Return status, answer and the seconds that the server asks to wait. Raises MayPass, Refused."""
        body = bytearray()
        try:
            with self.client.stream(method, f"{self.endpoint.url}{path}", **content) as response:
                pace = Pace()
                for piece in response.iter_bytes():
                    pace.add(len(piece))
                    body += piece
                    if len(body) > MOST_BYTES:
                        raise Refused(f"an answer of more than {MOST_BYTES:,} bytes")
                kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                after = seconds_asked(response.headers)
                return response.status_code, Reply(kind, bytes(body)), after
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise Unreachable(f"cannot be reached ({type(error).__name__})") from None
        except httpx.TimeoutException:
            raise MayPass("no answer in time") from None
        except httpx.TransportError as error:
            raise MayPass(f"the connection failed ({type(error).__name__})") from None
        except httpx.DecodingError:
            raise Refused("an answer that cannot be unpacked") from None

    def list_of_models(self) -> tuple[int, Reply]:
        """Ask for the models, again after each of START_DELAYS while the failure may pass; return status and answer.

        Raises Unreachable, Refused, and EndpointUnavailable after the last try.
        """
        for delay in (*START_DELAYS, None):
            try:
                status, reply, after = self.exchange("GET", "/models")
                said = f"{status} {responses.get(status, '')}".strip()
            except Unreachable:
                raise
            except MayPass as error:
                status, said, after = HTTPStatus.SERVICE_UNAVAILABLE, str(error), error.after
            if status not in PASSING:
                return status, reply
            if delay is None or after > LONGEST_WAIT:
                break
            pause(max(delay, after))
        raise EndpointUnavailable(f"{self.endpoint.name}: the endpoint fails when asked for its models: {said}")

    def close(self) -> None:
        self.client.close()

    def message_in(self, content: bytes) -> str:
        """Return the message of an error in OpenAI's form, without the key; "" if it has none."""
        try:
            decoded = json.loads(content)
            error = decoded.get("error", decoded)
            message = str(error.get("message") or "")
        except (ValueError, AttributeError, RecursionError):
            return ""
        return one_line(message.replace(self.key, "***") if self.key else message)[:MOST_WORDS]

    def description(self) -> dict[str, Any]:
        """Return what the endpoint's list of models says of this one; nothing if it has no list.

        Raises CheckpointError if the endpoint cannot be asked, or its list lacks the model, and EndpointUnavailable if
        it stays busy or fails each time.
        """
        try:
            status, reply = self.list_of_models()
        except (Unreachable, Refused) as error:
            raise CheckpointError(
                f"{self.endpoint.name}: the endpoint {error}: is it running, and is its URL right?"
            ) from None
        if status in NO_LIST:
            return {}
        if status != HTTPStatus.OK:
            reason = f"{status} {responses.get(status, '')}".strip()
            hint = f": set {self.endpoint.key_variables[1]}" if status in NO_KEY else ""
            raise CheckpointError(
                f"{self.endpoint.name}: the endpoint answers {reason} when asked for its models{hint}"
            )
        try:
            models = json.loads(reply.content)["data"]
            known = {str(model["id"]): model for model in models}
        except (ValueError, LookupError, TypeError, RecursionError):
            raise CheckpointError(
                f"{self.endpoint.name}: no OpenAI-style endpoint: its list of models is none"
            ) from None
        if self.endpoint.model not in known:
            names = ", ".join(one_line(name) for name in sorted(known)[:5])
            raise CheckpointError(f"{self.endpoint.name}: the endpoint has no such model; it has {names or 'none'}")
        return dict(known[self.endpoint.model])
