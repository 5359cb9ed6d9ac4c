"""The review as a local web app: one page, and what it asks for. Every address begins with a token.

Whoever does not know the token gets 404 from all of it, and the page may fetch nothing from anywhere else.
"""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field, ValidationError

from winnow.audio.measurements import BadAudio
from winnow.errors import WinnowError
from winnow.reports.headline import headline
from winnow.review.index import Query as RowQuery
from winnow.review.session import Session
from winnow.text.normalize import MAX_TEXT

HOST = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
FILES = {"": "index.html", "review.js": "review.js", "drawing.js": "drawing.js", "review.css": "review.css"}

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Said(BaseModel, extra="forbid"):
    """What a person says about a row: `kind` as for `Session.decide`."""

    line: int
    kind: str = Field(pattern="^(keep|drop|edit|proposal|flag|unflag|undo)$")
    text: str | None = Field(None, max_length=MAX_TEXT)


def make_app(session: Session, token: str) -> FastAPI:
    """Return the app of a review."""

    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer 404 without the token, before anything else is looked at; forbid the page to fetch from elsewhere."""
        given = request.scope["path"].removeprefix("/").partition("/")[0]
        if secrets.compare_digest(given.encode(), token.encode()):
            response = await call_next(request)
        else:
            response = JSONResponse({"detail": "Not Found"}, status_code=404)
        response.headers.update(HEADERS)
        return response

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost", "testserver"])
    app.middleware("http")(guard)
    app.add_exception_handler(WinnowError, explain)
    app.add_exception_handler(ValidationError, explain)
    app.add_exception_handler(BadAudio, explain)
    router = APIRouter(prefix=f"/{token}")
    add_routes(router, session)
    for address, name in FILES.items():
        router.add_api_route(f"/{address}", serve_file(PAGE / name), response_class=FileResponse)
    app.include_router(router)
    return app


def add_routes(router: APIRouter, session: Session) -> None:
    """Add what the page asks for."""

    @router.get("/api/run")
    def run() -> dict[str, Any]:
        about = {"name": session.run.path.name, "summary": headline(session.run.report).replace("**", "")}
        return about | {"choices": session.index.choices, "warnings": session.warnings}

    @router.get("/api/rows")
    def rows(query: Annotated[RowQuery, Query()]) -> dict[str, Any]:
        return session.list_rows(query)

    @router.get("/api/rows/{line}")
    def row(line: int) -> dict[str, Any]:
        return session.show(line)

    @router.get("/api/rows/{line}/audio.wav", response_class=FileResponse)
    def audio(line: int) -> FileResponse:
        return FileResponse(session.clips.wav(session.row(line)[1]), media_type="audio/wav")

    @router.get("/api/rows/{line}/picture")
    def picture(line: int) -> dict[str, Any]:
        return session.clips.picture(session.row(line)[1])

    @router.get("/api/progress")
    def progress() -> dict[str, Any]:
        return session.progress()

    @router.post("/api/verdicts")
    def decide(said: Said) -> dict[str, Any]:
        return session.decide(said.line, said.kind, said.text)


def serve_file(file: Path) -> Callable[[], FileResponse]:
    return lambda: FileResponse(file)


async def explain(request: Request, error: Exception) -> JSONResponse:
    """Answer with the sentence of an error."""
    text = f"{error.reason}: {error.detail}" if isinstance(error, BadAudio) else str(error)
    return JSONResponse({"detail": text}, status_code=404 if isinstance(error, BadAudio) else 422)
