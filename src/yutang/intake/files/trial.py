"""Whether a workbook can be opened at all, tried in a process of its own that may take only so much.

The reader asks for as much memory as the file tells it to (a count of strings, a cell at the far corner in a spelling
that `archive` does not look for, an old workbook's rows), and where it gets none, its whole process ends at once. That
must not be the house: a file that was uploaded would end it again at every start.
"""

from __future__ import annotations

import subprocess
import sys

from yutang.intake.files.archive import damaged

MOST_MEMORY = 4 << 30
MOST_SECONDS = 600
_TRY = """
import io, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, ValueError, OSError):
    pass
import python_calamine as calamine
book = calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
for told in book.sheets_metadata:
    if told.typ == calamine.SheetTypeEnum.WorkSheet and told.visible == calamine.SheetVisibleEnum.Visible:
        sheet = book.get_sheet_by_name(told.name)
        if sheet.height > 1 or (sheet.height == 1 and sheet.width > 1):
            break
"""


def refuse_what_cannot_be_opened(content: bytes, name: str) -> None:
    """Open a workbook as `excel` does, elsewhere. Raises BadInput where that ends badly, or takes too much."""
    # The file goes through a pipe: it is personal, and stands nowhere in clear.
    asked = [sys.executable, "-P", "-c", _TRY, str(MOST_MEMORY)]
    try:
        ended = subprocess.run(
            asked,
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise damaged(name) from error
    if ended.returncode != 0:
        raise damaged(name)
