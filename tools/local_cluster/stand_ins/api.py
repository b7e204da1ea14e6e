"""STAND-IN for Aware's API: this project's own program, which only behaves like one.

It counts visits in PostgreSQL, so that one can see whether it reaches its database and whether
data stays. It never prints its secrets, nor what libpq says, which may hold some.
"""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg2  # type: ignore[import-untyped]

from .serving import Answer, Request, read_number, refuse, serve, tell
from .tokens import is_valid_token

NAME = "aware-api"
PORT = 3001
ANSWER_SECONDS = 3
RETRY_SECONDS = 1.0
# Every so often the log says again what it waits for.
TELL_SECONDS = 15.0

CREATE = """
    CREATE TABLE IF NOT EXISTS visits (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now()
    )
"""
INSERT = "INSERT INTO visits DEFAULT VALUES"
COUNT = "SELECT count(*) FROM visits"
ALIVE = "SELECT 1"

# What libpq's words mean, in words that cannot hold a secret.
REASONS = {
    "could not translate host name": "its name is unknown",
    "Connection refused": "connection refused",
    "timeout expired": "no answer",
    "timed out": "no answer",
    "statement timeout": "no answer",
    "No route to host": "no route to it",
    "Network is unreachable": "no route to it",
    "password authentication failed": "wrong user or password",
    "no password supplied": "wrong user or password",
    "does not exist": "no such user, database or table",
    "starting up": "it is starting",
    "shutting down": "it is ending",
    "permission denied": "permission denied",
}


def explain(error: Exception) -> str:
    """Return why the database does not do what it should."""
    text = str(error)
    reasons = (reason for words, reason in REASONS.items() if words in text)
    return next(reasons, type(error).__name__)


class Database:
    """PostgreSQL, by its URL; each call has a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.is_prepared = False
        self.reason = "not tried yet"

    def ask(self, *statements: str) -> Any:
        """Run statements in one transaction; return the first field of the last one's result.

        Raise psycopg2.Error when that is not possible.
        """
        connection = psycopg2.connect(
            self._url,
            connect_timeout=ANSWER_SECONDS,
            options=f"-c statement_timeout={ANSWER_SECONDS}s",
            application_name=NAME,
        )
        try:
            with connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return cursor.fetchone()[0] if cursor.description else None
        finally:
            connection.close()

    def prepare(self) -> None:
        """Create the table, and try until that has worked."""
        told, told_at = "", 0.0
        while not self.is_prepared:
            try:
                self.ask(CREATE)
            except psycopg2.Error as exc:
                self.reason = explain(exc)
                now = time.monotonic()
                if self.reason != told or now - told_at >= TELL_SECONDS:
                    tell(f"waiting for PostgreSQL: {self.reason}")
                    told, told_at = self.reason, now
                time.sleep(RETRY_SECONDS)
            else:
                self.is_prepared = True
                tell("PostgreSQL answers, the table visits is there")


class Api:
    """The API's answers."""

    def __init__(self, database: Database, secret: str, version: str) -> None:
        self._database = database
        self._secret = secret
        self._facts = {"stand_in": True, "name": NAME, "version": version}

    def answer(self, request: Request) -> Answer:
        """Answer a request; only visits need a token."""
        if request.path == "/visits" and not self._is_authorized(request):
            return Answer(401, self._fail("this needs a token"), {"WWW-Authenticate": "Bearer"})
        match request.method, request.path:
            case ("GET" | "HEAD", "/healthz"):
                return Answer(200, {"stand_in": True, "status": "ok"})
            case ("GET" | "HEAD", "/readyz"):
                return self._answer_readiness()
            case ("GET" | "HEAD", "/" | "/visits"):
                return self._ask(COUNT)
            case ("POST", "/visits"):
                return self._ask(INSERT, COUNT)
        return Answer(404, self._fail("there is nothing here"))

    def _answer_readiness(self) -> Answer:
        """Answer ok when the database does."""
        if not self._database.is_prepared:
            return Answer(503, f"PostgreSQL: {self._database.reason}\n")
        return self._try(lambda: {"status": "ok", "database": self._database.ask(ALIVE)})

    def _ask(self, *statements: str) -> Answer:
        """Answer with the number of visits, the result of the last statement."""
        return self._try(lambda: {**self._facts, "visits": self._database.ask(*statements)})

    def _try(self, build_body: Callable[[], dict[str, Any]]) -> Answer:
        """Answer 200 with a body, or 503 when the database does not answer."""
        try:
            return Answer(200, {"stand_in": True, **build_body()})
        except psycopg2.Error as exc:
            return Answer(503, self._fail(f"PostgreSQL: {explain(exc)}"))

    def _fail(self, error: str) -> dict[str, Any]:
        """Return the body of an answer that is an error."""
        return {"stand_in": True, "error": error}

    def _is_authorized(self, request: Request) -> bool:
        """Tell whether the client shows a valid token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and is_valid_token(
            token.strip(), self._secret, time.time()
        )


def read_url(environment: Mapping[str, str]) -> str:
    """Return the database's URL; refuse to start when it cannot be one."""
    url = environment.get("DATABASE_URL", "")
    if not url:
        refuse("DATABASE_URL is missing; set it to postgresql://<user>:<password>@<host>/<name>.")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("postgres", "postgresql") and bool(parts.hostname)
        psycopg2.extensions.parse_dsn(url)
    except (ValueError, psycopg2.Error):
        is_url = False
    if not is_url:
        refuse("DATABASE_URL is no URL of a PostgreSQL database; it is not shown, as it is secret.")
    return url


def main() -> None:
    """Run the API until it is told to end."""
    url = read_url(os.environ)
    secret = os.environ.get("JWT_SECRET", "")
    if not secret:
        refuse("JWT_SECRET is missing or empty; set it to the key that tokens are signed with.")
    version = os.environ.get("STAND_IN_VERSION", "unknown")
    port = int(read_number(os.environ, "PORT", PORT))
    database = Database(url)
    tell(f"{NAME} {version}: a STAND-IN of the local cluster, not Aware's program")
    threading.Thread(target=database.prepare, daemon=True).start()
    serve(Api(database, secret, version), port)


if __name__ == "__main__":
    main()
