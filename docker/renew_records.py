"""Makes the lists of files in packages true again after trimming: `python docker/renew_records.py FOLDER`.

A package's RECORD names each of its files with a hash, for scanners and `importlib.metadata`. What was
removed must not be in it, and what was stripped has another hash.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import sys
from pathlib import Path


def renew(record: Path) -> int:
    """Writes the RECORD again, and returns how many of its files are gone."""
    root = record.parents[1]
    with record.open(newline="") as file:
        rows = list(csv.reader(file))
    kept = [row for row in rows if (root / row[0]).exists()]
    with record.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(row_of(root, row) for row in kept)
    return len(rows) - len(kept)


def row_of(root: Path, row: list[str]) -> list[str]:
    """Returns the row with the file's hash and size; RECORD itself and compiled modules have none."""
    name, hashed = row[0], row[1]
    if not hashed:
        return row
    content = (root / name).read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return [name, f"sha256={digest}", str(len(content))]


def main() -> None:
    """Renews the RECORD of each package in the folder that the command names."""
    gone = sum(renew(record) for record in Path(sys.argv[1]).glob("*.dist-info/RECORD"))
    sys.stdout.write(f"{gone} files are taken from the packages' lists\n")


if __name__ == "__main__":
    main()
