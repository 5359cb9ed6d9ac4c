"""What an endpoint has answered in a run, so that nothing is asked twice, and what the run has spent on it."""

from winnow.engines.endpoint.database import Database
from winnow.engines.endpoint.reading import Reply
from winnow.errors import BudgetSpent

SECONDS_PER_HOUR = 3600.0
TABLES = (
    "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, form TEXT NOT NULL, kind TEXT, content BLOB)",
    "CREATE TABLE IF NOT EXISTS spent (one INTEGER PRIMARY KEY, requests INTEGER, seconds REAL)",
    "INSERT OR IGNORE INTO spent VALUES (1, 0, 0.0)",
)
SPEND = (
    "UPDATE spent SET requests = requests + 1, seconds = seconds + :seconds "
    "WHERE requests < coalesce(:most_requests, requests + 1) "
    "AND seconds + :seconds <= coalesce(:most_seconds, seconds + :seconds)"
)


class Answers:
    """The answers of a run, which are kept as soon as they come, and its budget."""

    def __init__(self, database: Database) -> None:
        self.database = database
        for statement in TABLES:
            database.execute(statement)

    def find(self, key: str) -> tuple[str, Reply] | None:
        """Return the form in which was asked, and the answer; None if there is none yet."""
        rows, _ = self.database.execute("SELECT form, kind, content FROM answers WHERE key = ?", (key,))
        return (rows[0][0], Reply(*rows[0][1:])) if rows else None

    def add(self, key: str, form: str, reply: Reply) -> None:
        self.database.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", (key, form, *reply))

    def spend(self, seconds: float, most_requests: int | None, most_hours: float | None) -> None:
        """Count a request with this much audio; raises BudgetSpent, and counts nothing, if it would be too much."""
        most_seconds = most_hours and most_hours * SECONDS_PER_HOUR
        limits = {"seconds": seconds, "most_requests": most_requests, "most_seconds": most_seconds}
        if self.database.execute(SPEND, limits)[1]:
            return
        ((requests, spent),) = self.database.execute("SELECT requests, seconds FROM spent")[0]
        raise BudgetSpent(
            f"the run has sent {requests:,} requests with {spent / SECONDS_PER_HOUR:,.3f} h of audio to endpoints, "
            "which is all that it may; what was answered is kept: raise --engine.max-requests or --engine.max-hours "
            "and run the same command again"
        )
