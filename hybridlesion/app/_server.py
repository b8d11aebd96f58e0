"""Server of the app: photographs in a private folder, one queue, one origin."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import anyio
import uvicorn
from fastapi import FastAPI, File, Form, HTTPException, Request, UploadFile
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, Field, FiniteFloat
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridlesion import __version__
from hybridlesion._formatting import printable
from hybridlesion.app._data_set import CheckOptions, DataSet, TableRefusal
from hybridlesion.app._shelf import THUMBNAIL, Age, Person, _Shelf, encode_jpeg
from hybridlesion.exceptions import HybridLesionError, ImageError, SourceError
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.metadata import SEXES, SITES, Sex, Site

if TYPE_CHECKING:
    from hybridlesion.app._gallery import Gallery
    from hybridlesion.app._reader import LesionReader

MAX_BYTES = 200_000_000
"""Most bytes of a request."""

HOSTS = ("127.0.0.1", "localhost")
"""Names under which the server answers. Another name is that of a foreign page (DNS rebinding)."""

_QUEUE = 16  # jobs that wait or run; further ones are refused
_RETRY = "2"  # seconds
_MOST = 500  # photographs kept
_MOST_SETS = 8  # data sets kept
_PAGES = {"/": "index.html", "/check": "check.html"}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_SUFFIXES = {".png": "image/png", ".pdf": "application/pdf"}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

Answer = TypeVar("Answer")
Keys = Annotated[list[str], Field(min_length=1, max_length=_MOST, description="Ids.")]
Point = Annotated[list[FiniteFloat], Field(min_length=2, max_length=2)]


class DrawnOutline(BaseModel):
    """Outline drawn by the user.

    Parameters
    ----------
    points : list of list of float
        Points (x, y) in pixels of the photograph, 3 to 5,000.
    """

    points: Annotated[list[Point], Field(min_length=3, max_length=5000)]


class Chosen(BaseModel):
    """Photographs to export.

    Parameters
    ----------
    ids : list of str
        Ids of the photographs.
    """

    ids: Keys


class Patient(BaseModel):
    """One patient for several photographs.

    Parameters
    ----------
    ids : list of str
        Ids of the photographs.
    patient_id : str
        Name or number of the patient.
    age : float or None, default=None
        Age in years, 0 to 120.
    sex : Sex or None, default=None
        Sex.
    """

    ids: Keys
    patient_id: Annotated[str, Field(min_length=1, max_length=64)]
    age: Age = None
    sex: Sex | None = None


class _Guard:
    """Refuse requests of other origins and large bodies, and add the security headers."""

    def __init__(self, app: ASGIApp, max_bytes: int):
        self.app, self.max_bytes = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                pairs = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *pairs]}
            await send(message)

        request = Request(scope)
        if refusal := self._refuse(request):
            status, words = refusal
            await JSONResponse({"detail": words}, status)(scope, receive, send_guarded)
            return
        read = 0

        async def receive_counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_bytes:
                raise HTTPException(413, self._too_large())
            return message

        await self.app(scope, receive_counted, send_guarded)

    def _refuse(self, request: Request) -> tuple[int, str] | None:
        headers = request.headers
        host = headers.get("host", "")
        if host.rpartition(":")[0] not in HOSTS and host not in HOSTS:
            return 403, f"the app answers only as {' or '.join(HOSTS)}."
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        own = origin is None or origin == f"http://{host}"
        # A link from elsewhere may open a page, and nothing else.
        if not own or (site not in ("same-origin", "none") and request.url.path not in _PAGES):
            return 403, "the request comes from another page."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.max_bytes:
            return 413, self._too_large()
        return None

    def _too_large(self) -> str:
        return f"the file is larger than the limit of {self.max_bytes / 1e6:,.0f} MB."


class _Queue:
    """One job at a time in a thread; few may wait.

    The library measures on one core, and warnings that are recorded belong to one thread only.
    """

    def __init__(self, longest: int):
        self.longest, self.waiting = longest, 0
        self.limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[..., Answer], *args: object, **options: object) -> Answer:
        if self.waiting >= self.longest:
            words = f"{self.waiting} photographs are waiting. Try again in {_RETRY} s."
            raise HTTPException(503, words, {"Retry-After": _RETRY})
        self.limiter = self.limiter or anyio.CapacityLimiter(1)
        self.waiting += 1
        try:
            call = partial(work, *args, **options)
            return await anyio.to_thread.run_sync(call, limiter=self.limiter)
        finally:
            self.waiting -= 1


def create_app(
    reader: LesionReader | Callable[[], LesionReader],
    *,
    gallery: Gallery | None = None,
    max_bytes: int = MAX_BYTES,
    longest_queue: int = _QUEUE,
) -> FastAPI:
    """Create the web application.

    Parameters
    ----------
    reader : LesionReader or callable
        Reader that answers, or a function that makes it while the page is already served.
    gallery : Gallery or None, default=None
        Reference cases, which are read while the application runs.
    max_bytes : int, default=200_000_000
        Most bytes of a request; larger ones are refused with status 413.
    longest_queue : int, default=16
        Most photographs that wait or are measured; further ones are refused with status 503.

    Returns
    -------
    FastAPI
        ASGI application. It answers under the names in `HOSTS` only.

    Notes
    -----
    Photographs are kept in a temporary folder that only this user can read, under random names,
    and deleted when the application ends. Names from a client are text for display; they never
    become a path.
    """
    make_reader = reader if callable(reader) else lambda: reader
    shelf, queue, maps = _Shelf(make_reader), _Queue(longest_queue), _Queue(2)
    loaded = anyio.Event()

    async def warm_up() -> None:
        # Requests that need the reader wait in the queue, behind this.
        await queue.run(lambda: shelf.reader)
        loaded.set()
        # Photographs that fill the queue by now load the networks themselves.
        with suppress(HTTPException):
            await queue.run(shelf.reader.warm_up)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="hybridlesion-app-") as folder:
            shelf.folder = app.state.folder = Path(folder)
            async with anyio.create_task_group() as tasks:
                # The networks are loaded while the user looks at the page.
                tasks.start_soon(warm_up)
                if gallery is not None:
                    tasks.start_soon(anyio.to_thread.run_sync, gallery.read)
                yield
                if gallery is not None:
                    gallery.stop()

    app = FastAPI(
        title="hybridlesion",
        version=__version__,
        description="Scores of dermoscopic photographs. Research software, not a medical device.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(_Guard, max_bytes=max_bytes)

    @app.exception_handler(HybridLesionError)
    async def refuse(_: Request, error: HybridLesionError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(TableRefusal)
    async def refuse_table(_: Request, error: TableRefusal) -> JSONResponse:
        return JSONResponse(error.content, 422)

    _add_page(app)

    @app.get("/model", summary="The model, and the words that it understands")
    async def model() -> dict[str, object]:
        await loaded.wait()
        limits = {"sexes": list(SEXES), "sites": list(SITES), "version": __version__}
        return shelf.reader.facts() | limits | {"has_gallery": gallery is not None}

    _add_scores(app, shelf, queue)
    _add_photographs(app, shelf, queue)
    _add_files(app, shelf, queue, maps)
    _add_patients(app, shelf, queue)
    _add_data_sets(app, shelf, queue)
    if gallery is not None:
        _add_gallery(app, shelf, queue, gallery)
    return app


def _add_page(app: FastAPI) -> None:
    """Serve the pages from memory, so that no address becomes a path."""
    folder = resources.files(__package__) / "page"
    files = {file.name: file.read_bytes() for file in folder.iterdir() if "." in file.name}

    async def page(request: Request) -> Response:
        content = files[_PAGES[request.url.path]]
        return Response(content, media_type="text/html; charset=utf-8")

    for address in _PAGES:
        app.add_route(address, page)

    @app.get("/page/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        kind = _TYPES.get(Path(name).suffix)
        if name not in files or kind is None:
            raise HTTPException(404, "there is no such page.")
        return Response(files[name], media_type=f"{kind}; charset=utf-8")


def _add_scores(app: FastAPI, shelf: _Shelf, queue: _Queue) -> None:
    @app.post("/score", summary="Score one photograph, which is not kept")
    async def score(
        file: Annotated[UploadFile, File(description="JPEG, PNG, TIFF, DICOM or another image.")],
        age: Annotated[Age, Form()] = None,
        sex: Annotated[Sex | None, Form()] = None,
        site: Annotated[Site | None, Form()] = None,
    ) -> dict[str, object]:
        path = await anyio.to_thread.run_sync(shelf.store, file)
        try:
            person = Person(age=age, sex=sex, site=site)
            kept = await queue.run(shelf.read, path, _name(file), person)
        finally:
            path.unlink(missing_ok=True)
        facts = {"image_id": kept.photograph.name, "model": shelf.reader.name}
        return facts | kept.answer | {"outline": kept.photograph.outline}


def _name(file: UploadFile) -> str:
    """Name of a file without its folders, for display."""
    name = printable((file.filename or "").replace("\\", "/").rpartition("/")[2])
    return name.replace("\n", " ")[:200] or "photograph"


def _add_photographs(app: FastAPI, shelf: _Shelf, queue: _Queue) -> None:
    @app.post("/photographs", status_code=201, summary="Read and keep a photograph")
    async def add(file: UploadFile) -> dict[str, object]:
        if len(shelf.kept) >= _MOST:
            raise HTTPException(409, f"{_MOST} photographs are open. Remove some.")
        path = await anyio.to_thread.run_sync(shelf.store, file)
        try:
            kept = await queue.run(shelf.read, path, _name(file), Person())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return shelf.describe(shelf.add(kept))

    @app.get("/photographs/{key}", summary="A photograph and its answer")
    async def get(key: str) -> dict[str, object]:
        return shelf.describe(key)

    @app.delete("/photographs/{key}", status_code=204, summary="Forget a photograph")
    async def remove(key: str) -> None:
        if shelf[key].person.patient_id is None:
            shelf.remove(key)
        else:
            await queue.run(shelf.remove, key)

    @app.put("/photographs/{key}/person", summary="Score again with age, sex and site")
    async def change(key: str, person: Person) -> dict[str, object]:
        await queue.run(shelf.change, {key: person})
        return shelf.describe(key)

    @app.put("/photographs/{key}/outline", summary="Correct the outline and measure again")
    async def draw(key: str, outline: DrawnOutline) -> dict[str, object]:
        await queue.run(shelf.draw, key, outline.points)
        return shelf.describe(key)

    @app.delete("/photographs/{key}/outline", summary="Return to the automatic outline")
    async def reset(key: str) -> dict[str, object]:
        await queue.run(shelf.draw, key, None)
        return shelf.describe(key)


def _add_patients(app: FastAPI, shelf: _Shelf, queue: _Queue) -> None:
    @app.put("/patient", summary="Say that photographs are of one patient, and score them again")
    async def join(patient: Patient) -> dict[str, object]:
        known = patient.model_dump(exclude={"ids"})
        people = {key: shelf[key].person.model_copy(update=known) for key in patient.ids}
        await queue.run(shelf.change, people)
        return {"photographs": [shelf.describe(key) for key in patient.ids if key in shelf.kept]}

    @app.get("/photographs/{key}/patient", summary="The patient's lesions, the most unlike first")
    async def compare(key: str) -> dict[str, object]:
        return {"lesions": await queue.run(shelf.compare, key)}


def _add_data_sets(app: FastAPI, shelf: _Shelf, queue: _Queue) -> None:
    kept: dict[str, DataSet] = {}

    def find(key: str) -> DataSet:
        if key not in kept:
            raise HTTPException(404, "there is no such data set; it may have been removed.")
        return kept[key]

    @app.post("/data-sets", status_code=201, summary="Begin a data set to check")
    async def begin() -> dict[str, str]:
        if len(kept) >= _MOST_SETS:
            raise HTTPException(409, f"{_MOST_SETS} data sets are open. Remove one.")
        folder = Path(tempfile.mkdtemp(dir=shelf.folder))
        key = secrets.token_urlsafe(16)
        kept[key] = DataSet(folder)
        return {"id": key}

    @app.post("/data-sets/{key}/files", summary="Add photographs and tables")
    async def add_files(key: str, files: list[UploadFile]) -> dict[str, int]:
        return await anyio.to_thread.run_sync(find(key).add, files)

    @app.post("/data-sets/{key}/check", summary="Check the data set before anything is computed")
    async def check(key: str, options: CheckOptions) -> dict[str, object]:
        return await queue.run(find(key).check, options)

    @app.delete("/data-sets/{key}", status_code=204, summary="Forget a data set")
    async def forget(key: str) -> None:
        find(key)
        await queue.run(shutil.rmtree, kept.pop(key).folder, ignore_errors=True)


def _add_gallery(app: FastAPI, shelf: _Shelf, queue: _Queue, gallery: Gallery) -> None:
    def find(key: str) -> list[dict[str, object]]:
        from hybridlesion.leakage import perceptual_hash

        kept = shelf[key]
        measured = kept.photograph.measured
        known = {"image_id": measured.image_id, "patient_id": kept.person.patient_id}
        image_hash = perceptual_hash(measured.image)
        return gallery.find_similar(kept.photograph.embedding, image_hash, **known)

    @app.get("/photographs/{key}/similar", summary="The most similar cases of the gallery")
    async def similar(key: str) -> dict[str, object]:
        n_read = gallery.n_read
        cases = await queue.run(find, key)
        return {"cases": cases, "n_read": n_read, "n_images": len(gallery)}

    @app.get("/gallery/{number}.jpg", summary="A thumbnail of a case")
    async def case(number: int) -> Response:
        if not 0 <= number < len(gallery):
            raise HTTPException(404, "there is no such case.")
        found = await anyio.to_thread.run_sync(_case_thumbnail, gallery.frame["path"][number])
        return Response(found, media_type="image/jpeg")


def _case_thumbnail(path: str) -> bytes:
    try:
        image = read_image(path, long_side=THUMBNAIL)
    except (ImageError, SourceError) as error:
        # The path in the message is not for clients.
        raise HTTPException(404, "the picture of this case cannot be read.") from error
    return encode_jpeg(resize_long_side(image, THUMBNAIL), 85)


def _add_files(app: FastAPI, shelf: _Shelf, queue: _Queue, maps: _Queue) -> None:
    @app.get("/photographs/{key}/photograph.jpg", summary="The photograph at full resolution")
    async def photograph(key: str) -> Response:
        return FileResponse(await queue.run(shelf.photograph_file, key), media_type="image/jpeg")

    @app.get("/photographs/{key}/thumbnail.jpg", summary="A thumbnail")
    async def thumbnail(key: str) -> Response:
        return Response(shelf.thumbnail(key), media_type="image/jpeg")

    @app.get("/photographs/{key}/layers/{name}", summary="A layer, as PNG")
    async def layer(key: str, name: str) -> Response:
        kept = shelf[key]
        if name not in {one["name"] for one in shelf.reader.layers(kept.photograph)}:
            raise HTTPException(404, "the photograph has no such layer.")
        # The map of the network takes seconds, and scores do not wait for it.
        line = maps if name == "network" else queue
        found = await line.run(shelf.reader.paint, kept.photograph, name)
        return Response(found, media_type="image/png")

    @app.get("/photographs/{key}/sheet{suffix}", summary="ABCD sheet: sheet.pdf or sheet.png")
    async def sheet(key: str, suffix: Literal[".pdf", ".png"]) -> Response:
        return Response(await queue.run(shelf.sheet, key, suffix), media_type=_SUFFIXES[suffix])

    @app.post("/export.csv", summary="Answers as a table")
    async def export_table(chosen: Chosen) -> Response:
        return Response(shelf.table(chosen.ids), media_type="text/csv; charset=utf-8")

    @app.post("/export.json", summary="Answers with outlines")
    async def export(chosen: Chosen) -> Response:
        found = [shelf.describe(key) for key in chosen.ids]
        text = json.dumps({"model": shelf.reader.facts(), "photographs": found}, indent=1)
        return Response(text, media_type="application/json")


def serve(
    reader: LesionReader | Callable[[], LesionReader],
    *,
    gallery: Gallery | None = None,
    port: int = 8000,
    ready: Callable[[str], None],
) -> None:
    """Run the app on 127.0.0.1 until it is interrupted.

    Parameters
    ----------
    reader : LesionReader or callable
        Reader that answers, or a function that makes it while the page is already served.
    gallery : Gallery or None, default=None
        Reference cases.
    port : int, default=8000
        Port; 0 takes a free one.
    ready : callable
        Called with the address when the app can be opened.

    Raises
    ------
    SourceError
        If the port is in use.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()  # a browser that is opened now waits for the page
    except OSError as error:
        listener.close()
        raise SourceError(f"port {port} is in use. Choose another `port`.") from error
    app = create_app(reader, gallery=gallery)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, limit_concurrency=64
    )
    ready(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    # Raised after an orderly end.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
