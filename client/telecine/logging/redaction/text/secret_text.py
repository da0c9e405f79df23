"""Finds secrets in running text, in one pass from left to right: messages, stack traces, JSON in strings."""

from __future__ import annotations

import re
from collections.abc import Callable

from telecine.logging.redaction.rules import RulePack
from telecine.logging.redaction.text import addresses, commands, encodings, escapes, urls
from telecine.logging.redaction.text.assignments import Assignments, AssignmentSearch
from telecine.logging.redaction.text.checks import IS_MASK
from telecine.logging.redaction.text.lookalikes import fold
from telecine.logging.redaction.text.secret_keys import SecretKeys
from telecine.logging.redaction.text.spots import Search, Secret, SpotSearch, spots_of
from telecine.logging.redaction.text.tables import TableSearch

MASK = "***redacted***"

_NOWHERE = 1 << 62

Mask = Callable[[str], str]
Counts = dict[str, int]


class SecretText:
    """Finds and replaces; holds no state between calls, safe to use from any thread."""

    def __init__(self, pack: RulePack, keys: SecretKeys) -> None:
        self._keys = keys
        self._assignments = Assignments(pack, keys)
        rules = [rule for rule in pack.values if rule.is_on]
        self._has_urls = any(rule.pattern == urls.PATTERN for rule in rules)
        self._spots = spots_of(rule for rule in rules if rule.pattern != urls.PATTERN)
        self._anywhere = re.compile(
            "|".join(f"(?:{spot.anchor.pattern})" for spot in self._spots) or "(?!)", re.ASCII
        )

    def replace(
        self, text: str, mask: Mask, counts: Counts, *, is_id: bool = False, looks_behind: bool = True
    ) -> str:
        """The text with every secret replaced by `mask(secret)`; the same object when there is none.

        `is_id` says that the text stands under an identifier's key, where digits are no card number.
        With `looks_behind` URL escapes and Base64 are looked behind, once.
        """
        redacted = plain = encodings.without_json_escapes(text)
        # Line ends come first: unread, they are part of a value or all of it, as in `password:#012  …`.
        looks = (escapes.line_view, None, encodings.url_view, escapes.escape_view)
        for look in looks if looks_behind else (None,):
            if look is None:
                redacted = self._masked(redacted, redacted, None, mask, counts, is_id=is_id)
            else:
                view = look(redacted)
                if view is not None:
                    redacted = self._masked(redacted, view.text, view.offsets, mask, counts, is_id=is_id)
        return text if redacted is plain else redacted

    def _masked(
        self, original: str, view: str, offsets: list[int] | None, mask: Mask, counts: Counts, *, is_id: bool
    ) -> str:
        """`original` without the secrets that `view` shows, whose characters stand at `offsets` of it."""
        folded = fold(view)
        if folded.offsets is not None:
            offsets = folded.offsets if offsets is None else [offsets[i] for i in folded.offsets]
        pieces: list[str] = []
        done = 0
        for secret in self._secrets(folded.text, is_id=is_id):
            rule_id = secret.rule_id
            start, end = secret.start, secret.end
            if offsets is not None:
                start, end = offsets[start], offsets[end]
            if IS_MASK.fullmatch(original, start, end):
                continue
            pieces += (original[done:start], mask(original[start:end]))
            done = end
            counts[rule_id] = counts.get(rule_id, 0) + 1
        if not pieces:
            return original
        pieces.append(original[done:])
        return "".join(pieces)

    def _secrets(self, text: str, *, is_id: bool) -> list[Secret]:
        """All secrets in their order, none over another."""
        lowered = text.lower()
        searches: list[Search] = [_Named(self._assignments.search(text)), _Commands(text)]
        if self._has_urls:
            searches.append(_Urls(text))
        if "\n" in text or "\\n" in text or "values" in lowered:
            searches.append(_Tables(text, self._keys))
        named = self._keys.names_identifier
        spots = [
            SpotSearch(text, spot, is_id=is_id, names_identifier=named)
            for spot in self._spots
            if spot.may_match(lowered)
        ]
        searches += spots
        if "@" in text or addresses.may_be_of_file(text):
            searches.append(_Addresses(text))
        found: list[Secret] = []
        heads = [search.advance(0) for search in searches]
        done = 0
        while True:
            best = -1
            for index, search in enumerate(searches):
                head = heads[index]
                if head is not None and head.start < done:
                    heads[index] = search.advance(done)
                if _start(heads[index]) < _start(heads[best] if best >= 0 else None):
                    best = index
            secret = heads[best] if best >= 0 else None
            if secret is None:
                return found
            end = secret.end
            if best == 0 and self._anywhere.match(text, secret.start):
                # What is named may begin a token that goes on behind the name's quote or comma.
                end = max((end, *(spot.end_at(secret.start) for spot in spots)))
            waiting = (spot.ends_before(secret.start, done) for spot in spots if spot.waiting)
            found.extend(ended for ended in waiting if ended is not None)
            found.append(Secret(secret.start, end, secret.rule_id))
            done = end
            heads[best] = searches[best].advance(done)
            # A mask frees the left edge of what stands behind it.
            is_spot = self._anywhere.match(text, done) is not None
            for index, search in enumerate(searches if is_spot else searches[:2]):
                freed = search.at(done)
                head = heads[index]
                if freed is not None and (head is None or freed.start <= head.start):
                    heads[index] = freed


def _start(secret: Secret | None) -> int:
    return secret.start if secret is not None else _NOWHERE


class _Named:
    """What names say."""

    def __init__(self, search: AssignmentSearch) -> None:
        self._search = search

    def advance(self, floor: int) -> Secret | None:
        """See `Search`."""
        named = self._search.advance(floor)
        return None if named is None else Secret(*named)

    def at(self, floor: int) -> Secret | None:
        """See `Search`."""
        named = self._search.at(floor)
        return None if named is None else Secret(*named)


class _Commands:
    """What programs are called with."""

    def __init__(self, text: str) -> None:
        self._search = commands.CommandSearch(text)

    def advance(self, floor: int) -> Secret | None:
        """See `Search`."""
        span = self._search.advance(floor)
        return None if span is None else Secret(*span, commands.RULE_ID)

    def at(self, floor: int) -> Secret | None:
        """See `Search`."""
        span = self._search.at(floor)
        return None if span is None else Secret(*span, commands.RULE_ID)


class _Urls:
    """Passwords in URLs."""

    def __init__(self, text: str) -> None:
        self._search = urls.UrlSearch(text)

    def advance(self, floor: int) -> Secret | None:
        """See `Search`."""
        span = self._search.advance(floor)
        return None if span is None else Secret(*span, urls.RULE_ID)

    def at(self, floor: int) -> Secret | None:
        """See `Search`; a URL's password asks for no edge."""
        return None


class _Addresses:
    """Passwords in addresses without a scheme."""

    def __init__(self, text: str) -> None:
        self._search = addresses.AddressSearch(text)

    def advance(self, floor: int) -> Secret | None:
        """See `Search`."""
        span = self._search.advance(floor)
        return None if span is None else Secret(*span, addresses.RULE_ID)

    def at(self, floor: int) -> Secret | None:
        """See `Search`; a mask ends in no user's name."""
        return None


class _Tables:
    """What columns name."""

    def __init__(self, text: str, keys: SecretKeys) -> None:
        self._search = TableSearch(text, keys)

    def advance(self, floor: int) -> Secret | None:
        """See `Search`."""
        column = self._search.advance(floor)
        return None if column is None else Secret(column.start, column.end, column.rule.id)

    def at(self, floor: int) -> Secret | None:
        """See `Search`; a cell begins where its row says."""
        return None
