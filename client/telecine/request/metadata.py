"""The caller's own data (prompt, seed, model ...) as the texts that stand in the manifest.

Text, and what JSON can only write as text (a date, a path), stays without quotes; everything else becomes
JSON. Numbers of numpy and torch are numbers, their arrays lists; NaN and the infinities, which JSON lacks,
are the texts "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Any

import msgspec
import numpy as np

from telecine.exceptions import InvalidRequestError
from telecine.logging.record.plain import number as json_number
from telecine.request.fields import refused

_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DEPTH = 100
_MAX_NUMBERS = 100_000
"""Of one array; more of them would not fit into a server's limit anyway."""


@dataclass(frozen=True, slots=True)
class MetadataTexts:
    """Keys and values as they are sent."""

    texts: Mapping[str, str]
    escaped: tuple[str, ...]
    """Keys whose text holds lone surrogates (half an emoji, a file name that is no UTF-8): no encoding of
    Unicode has them, so that they stand there as "\\udc80"."""


def metadata_texts(metadata: Mapping[str, object]) -> MetadataTexts:
    """Turns what a caller passed into texts. Raises InvalidRequestError that names the key."""
    texts: dict[str, str] = {}
    escaped = []
    for key, value in metadata.items():
        name, field = _key(key), f"metadata[{key!r}]"
        text = _text(value, field)
        safe_name, safe_text = _escape(name), _escape(text)
        if safe_name in texts:
            raise refused(field, value, f"one value for the key {safe_name!r}, which is there twice")
        texts[safe_name] = safe_text
        if safe_name != name or safe_text != text:
            escaped.append(safe_name)
    return MetadataTexts(texts, tuple(escaped))


def _key(key: object) -> str:
    if isinstance(key, Enum):
        key = key.value
    if not isinstance(key, str | int | float | np.generic):
        raise refused("metadata", key, "keys that are text")
    return str(key)


def _text(value: object, field: str) -> str:
    plain = _Plain(field).of(value)
    if isinstance(plain, str):  # quotes would show in an overlay: a date is a text like any other
        return plain
    written = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # Inside of JSON a lone surrogate has an escape of its own, which every reader takes back.
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def _escape(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode() if _SURROGATE.search(text) else text


class _Plain:
    """Takes one value apart into what JSON knows; bounded in depth, so that no circle is walked for ever."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._depth = 0

    def of(self, value: object) -> Any:
        if value is None or isinstance(value, bool | int) or (isinstance(value, str) and type(value) is str):
            return value
        if isinstance(value, float):
            return json_number(float(value))
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise refused(self._field, type(value), f"values that are nested at most {_MAX_DEPTH} deep")
        try:
            return self._of_several(value)
        finally:
            self._depth -= 1

    def _of_several(self, value: object) -> Any:
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray | memoryview):
            return [self.of(item) for item in value]
        if isinstance(value, AbstractSet):
            return self._set(value)
        if isinstance(value, np.generic):
            return self._scalar(value)
        if isinstance(value, np.ndarray) or _is_tensor(value) or _is_array(value):
            return self._array(value)
        return self._other(value)

    def _mapping(self, value: Mapping[object, object]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else self._name(key)
            if name in found:
                raise refused(self._field, name, "each key once")
            found[name] = self.of(item)
        return found

    def _name(self, key: object) -> str:
        plain = self.of(key)
        return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)

    def _set(self, value: AbstractSet[Any]) -> list[Any]:
        items = [self.of(item) for item in value]
        # A set has no order; a manifest of the same values should be the same one.
        return sorted(items, key=lambda item: (str(type(item)), json.dumps(item)))

    def _scalar(self, value: np.generic) -> Any:
        if isinstance(value, np.bool_):
            return bool(value)
        if isinstance(value, np.integer):
            return int(value)
        if isinstance(value, np.bytes_ | np.str_):
            return self.of(value.item())
        try:
            return json_number(float(str(value)))  # the shortest digits: float32's 0.1 is 0.1
        except ValueError:
            return str(value)

    def _array(self, value: Any) -> Any:
        if _is_tensor(value):
            value = value.detach().cpu()
            value = (value.float() if "bfloat16" in str(value.dtype) else value).numpy()
        array = np.asarray(value)
        if array.size > _MAX_NUMBERS:
            raise refused(self._field, f"an array of shape {array.shape}", f"at most {_MAX_NUMBERS} numbers")
        if array.ndim == 0:
            return self._scalar(array[()]) if isinstance(array[()], np.generic) else self.of(array[()])
        return [self._array(row) if isinstance(row, np.ndarray) else self.of(row) for row in array]

    def _other(self, value: object) -> Any:
        if isinstance(value, Enum):
            return self.of(value.value)
        if isinstance(value, str):
            return str(value)

        def unknown(part: object) -> Any:
            return self._words(part) if part is value else self.of(part)

        try:
            plain = msgspec.to_builtins(value, enc_hook=unknown, str_keys=True)
        except InvalidRequestError:
            raise
        except Exception:  # noqa: BLE001 -- objects of other people's classes
            return self._words(value)
        return plain if isinstance(plain, str) else self.of(plain)

    def _words(self, value: object) -> str:
        try:
            return str(value)
        except Exception as error:
            raise refused(
                self._field, value, f"a value that can be shown ({type(error).__name__}: {error})"
            ) from error


def _is_tensor(value: object) -> bool:
    return all(hasattr(value, name) for name in ("detach", "cpu", "numpy", "dtype"))


def _is_array(value: object) -> bool:
    # Pictures have an array interface too, but nobody wants their pixels in a manifest.
    return hasattr(value, "__array__") and hasattr(value, "dtype") and hasattr(value, "shape")
