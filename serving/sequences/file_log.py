"""What stands in a write-ahead log of SQLite, whose end SQLite passes over in silence when it is damaged.

A log is a head and frames, each a head and a page. A frame whose head says how large the database is ends a
transaction. SQLite takes the frames up to the first one whose checksum, which goes on from that of the frame before,
does not fit.
https://www.sqlite.org/fileformat.html#the_write_ahead_log"""

import struct
from pathlib import Path

HEAD = struct.Struct(">IIIIIIII")  # kind, format, bytes of a page, number, two salts, two checksums
FRAME = struct.Struct(">IIIIII")  # page, pages of the database or 0, two salts, two checksums
PAGE_BYTES = 4096  # where the head does not say it any more


def ends_of_transactions(path: Path) -> list[int]:
    """The numbers of the frames that end a transaction, the first frame is 1; also those behind damage.

    Raises OSError; a log that is absent has none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    if len(content) < HEAD.size + FRAME.size:
        return []
    page_bytes = HEAD.unpack_from(content)[2]
    if page_bytes not in [1 << power for power in range(9, 17)]:
        page_bytes = PAGE_BYTES
    salts = {HEAD.unpack_from(content)[4:6], FRAME.unpack_from(content, HEAD.size)[2:4]}  # either may be damaged
    size = FRAME.size + page_bytes
    found = []
    for number in range(1, (len(content) - HEAD.size) // size + 1):
        frame = FRAME.unpack_from(content, HEAD.size + (number - 1) * size)
        if frame[1] and frame[2:4] in salts:  # frames with other salts are older than the log's last beginning
            found.append(number)
    return found
