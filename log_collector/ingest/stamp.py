"""Writes on each record whose it is, and takes away what its sender claims of that.

The field is `log_tenant`: the tenant of the credential that the record came with. Records of the root tenant
go without it, so that a collector that asks nobody takes batches in as they came. It stands last in a line,
where readers of JSON take it even from a line that says it twice.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from log_collector.processors.normalise import KEPT_APART

FIELD: Final = "log_tenant"
_CLAIM: Final = re.compile(
    rb'"' + b"".join(rb"(?:%c|\\u00%02x|\\u00%02X)" % (ord(c), ord(c), ord(c)) for c in FIELD) + rb'"\s*:'
)
_END: Final = b"}\n"
_decode: Final = msgspec.json.Decoder(
    dict[str, Any], float_hook=lambda text: msgspec.Raw(text.encode())
).decode


def has_claim(lines: bytes) -> bool:
    """Whether a line may have the field already, however it is written."""
    return (FIELD.encode() in lines or b"\\u00" in lines) and _CLAIM.search(lines) is not None


def stamped(lines: bytes, tenant: str, count: int) -> bytes | None:
    """`count` whole lines with the field at their ends; None: they must be looked at one by one.

    An empty tenant is the root one: nothing changes.
    """
    if has_claim(lines):
        return None
    if not tenant or not lines:
        return lines
    if lines.count(_END) != count or b"{}\n" in lines:
        return None
    return lines.replace(_END, b',"%b":"%b"}\n' % (FIELD.encode(), tenant.encode()))


def stamp_tree(tree: dict[str, Any], tenant: str) -> bool:
    """The same for one record that was parsed; returns whether anything changed."""
    is_changed = FIELD in tree
    if is_changed:
        claim, apart = tree.pop(FIELD), f"{KEPT_APART}{FIELD}"
        while apart in tree:
            apart += "_"
        tree[apart] = claim
    if tenant:
        tree[FIELD] = tenant
    return is_changed or bool(tenant)


def stamp_line(line: bytes, tenant: str) -> bytes:
    """The same for one sound record, without its line end."""
    tree = _decode(line)
    return msgspec.json.encode(tree) if stamp_tree(tree, tenant) else line


def signed(lines: list[bytes], tenant: str) -> list[bytes]:
    """Lines of which some are our own summaries: those get the field too."""
    mark = b'"%b":"%b"' % (FIELD.encode(), tenant.encode())
    return [line if not tenant or mark in line else stamp_line(line, tenant) for line in lines]
