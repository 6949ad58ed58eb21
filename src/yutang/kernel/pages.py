"""Letting go of what deleted rows leave behind in the operational store's files."""

from __future__ import annotations

from django.db import connection

from yutang.kernel.errors import Unavailable


def let_go_of_old_pages() -> None:
    """Leave no page that still holds deleted rows. Raises Unavailable while somebody still reads them.

    SQLite overwrites what is deleted with zeros (`secure_delete`, set for every connection); what remains is the log
    beside the file, which is emptied here. PostgreSQL keeps dead rows until they are vacuumed. Outside a transaction;
    within one there is nothing to let go of yet.
    """
    if connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        if connection.vendor != "sqlite":
            cursor.execute("VACUUM")
            return
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = cursor.fetchone()[0]
    if busy:
        raise Unavailable(
            "数据库正被读取，旧页面稍后清除。", "The database is being read; its old pages are let go of in a moment."
        )
