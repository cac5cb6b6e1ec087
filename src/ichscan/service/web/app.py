"""The web application: every router, behind the same limits, headers and counters."""

from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from ichscan import __version__
from ichscan.service.capacity import Capacity
from ichscan.service.dicomweb import routes as dicomweb
from ichscan.service.feedback import routes as feedback
from ichscan.service.imagery import Imagery
from ichscan.service.security.rates import Rates
from ichscan.service.settings import Settings
from ichscan.service.web import (
    admin,
    events,
    files,
    health,
    images,
    metrics,
    pages,
    session,
    studies,
    system,
    trails,
    uploads,
)
from ichscan.service.web.failures import add_handlers
from ichscan.service.web.headers import SecurityHeaders
from ichscan.service.web.limits import Limits
from ichscan.service.web.measure import Measure, Meters
from ichscan.service.web.metrics import TableCollector
from ichscan.service.web.state import Service

if TYPE_CHECKING:
    from ichscan.service.database import Database
    from ichscan.service.spool import Spool


def make_app(settings: Settings, database: "Database", spool: "Spool") -> FastAPI:
    """The ASGI application of one web process."""
    app = FastAPI(
        title="ichscan",
        version=__version__,
        description="Worklist, results and images of the box beside the PACS. See docs/service-api.md.",
        docs_url=None,  # those pages fetch their scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    web = settings.web
    registry = CollectorRegistry()
    app.state.service = Service(settings, database, spool)
    app.state.logins = Rates(web.logins_per_minute)
    app.state.capacity = Capacity(settings)
    app.state.imagery = Imagery(settings, database)
    app.state.uploading = BoundedSemaphore(uploads.AT_ONCE)
    app.state.stopping = False
    app.state.followers = set()
    app.state.pages = pages.read_pages()
    app.state.meters = Meters(registry)
    app.state.registry = registry
    registry.register(TableCollector(app.state.service))
    add_handlers(app)
    for router in _routers():
        app.include_router(router)
    # the last one added is the outermost
    app.add_middleware(Limits, web=web)
    app.add_middleware(Measure, meters=app.state.meters, web=web)
    app.add_middleware(SecurityHeaders, encrypted=bool(web.tls_certificate) or web.behind_proxy)
    return app


def _routers() -> list[APIRouter]:
    """In the order in which they are asked; the pages take every path that is left."""
    return [
        session.router,
        studies.router,
        images.router,
        files.router,
        uploads.router,
        events.router,
        admin.router,
        trails.router,
        system.router,
        health.router,
        metrics.router,
        dicomweb.router,
        feedback.router,
        pages.router,
    ]
