"""Compile the catalogues: every `.po` under the console's locale becomes the `.mo` that Django reads."""

from __future__ import annotations

from pathlib import Path

import polib

LOCALE = Path(__file__).resolve().parent.parent / "src" / "yutang" / "console" / "locale"


def main() -> None:
    """Write every `.mo` beside its `.po`."""
    for path in sorted(LOCALE.rglob("*.po")):
        catalogue = polib.pofile(str(path), check_for_duplicates=True)
        catalogue.save_as_mofile(str(path.with_suffix(".mo")))
        print(f"{path.parent.parent.name}: {len(catalogue)} messages")


if __name__ == "__main__":
    main()
