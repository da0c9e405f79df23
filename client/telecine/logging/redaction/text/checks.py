"""Decides whether what looks like a secret is one: check digits, alphabets, placeholders."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable

from telecine.logging.redaction.rules import Check, KeyRule

IS_MASK = re.compile(r"\*\*\*redacted(?::[0-9a-f]{1,64})?\*\*\*", re.ASCII)
HARMLESS = re.compile(
    r"(?i:none|null|nil|true|false|undefined|\*+|x{3,}|\.\.\.|[\[<(]?(?:redacted|filtered|masked|hidden|secret)[\]>)])"
    r"|(?i:redacted|filtered|your[_-][a-z_-]{2,40})"
    r"|\$\{[^{}:?=+-]*\}|\$?\{\{[^{}]*\}\}|\{[A-Za-z_. ]*[0-9]{0,2}(?:\[[^\[\]]{0,40}\])?(?:![rsa])?\}"
    r"|\$[A-Z_][A-Z0-9_]*|\$\([^()]*\)|%\(?\w*\)?s"
    r"|\$?\{\{|\([A-Za-z][A-Za-z ]{2,40}\)|\.{1,2}/[\w./-]{1,64}\.[a-z]{2,5}"
    r"|</?\|?[A-Za-z][A-Za-z0-9_ -]{0,30}\|?/?>|\[[A-Z]{2,8}\]|X(?:-[A-Z][a-z]{1,20}){1,5}"
)
"""What stands for a value: absent, taken out already, a placeholder of a template or a vocabulary."""
STATE = re.compile(
    r"(?i:required|optional|missing|absent|invalid|incorrect|wrong|expired|empty|blank|changed|unchanged|accepted"
    r"|rejected|denied|failed|ok|okay|success|successful|reset|updated|set|unset|not|no|yes|too|must|is|was|are"
    r"|has|cannot|should|needs|field|hidden|masked|enabled|disabled|unknown|none|given|provided|supplied"
    r"|found|present|valid|verified|mismatch|mismatched|matches|created|deleted|removed|rotated|revoked|loaded"
    r"|hashing|authentication|prompt|protected|default|string|str|bytes|text|type|int|on|off|basic|digest|include|omit|same-origin|file|hashed|cached|local|none|null|sensitive|computed|anonymous|auto"
    r"|(?:creat|destroy|modify|read|refresh|rotat|reset|updat|delet|load|import)ing(?:\.{3})?|creation|destruction)"
)
"""Words that tell of a secret without being one: `password: required`."""
NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
PATH = re.compile(r"(?:~?/|[A-Za-z]:\\|\.{1,2}/)")
_CONSTANT = re.compile(r"[A-Z]+(?:_[A-Z]+)+")
_ALGORITHMS = re.compile(
    r"(?i:sha-?[0-9]{1,3}|md[0-9]|bcrypt|scrypt|pbkdf2|argon2(?:id|i|d)?|oauth[0-9.]{0,3}|base[0-9]{2}|utf-?[0-9]{1,2}"
    r"|ipv[46]|ed25519|x509|http[0-9]?|aes-?[0-9]{0,3}|rsa-?[0-9]{0,4}|v?[0-9][0-9.]*)"
)
_PASSWORD = re.compile(r"[A-Za-z0-9!@#$%^&*+?~._-]{6,128}", re.ASCII)
_WORD = re.compile(r"[A-Z][a-z]{3,}|[a-z]{4,}")
_OBJECT = re.compile(r"[a-z]{1,20}(?:[-_./:][a-z]{1,20}){0,6}(?:[-_.]?v?[0-9]{1,4})?")
_WORDS = re.compile(r"[A-Za-z0-9]+(?:[_.:/-]{1,2}[A-Za-z0-9]+)+", re.ASCII)
_NAME_LENGTH = 40
"""Names of tests and types are shorter."""
_SEED = re.compile(r"(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8}")
_SCHEME = re.compile(r"(?i:bearer|basic|token|digest|key)[ ]{1,4}")
_KUBERNETES = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20}){0,3}/[a-z]{2,20}(?:-[a-z]{2,20}){0,6}", re.ASCII)
"""A secret of Kubernetes by its namespace and name."""
_CARD = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}(?:[0-9]{3})?)?"  # Visa
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}(?:[0-9]{3})?"  # Discover
    r"|62[0-9]{14,17}"  # UnionPay
    r"|(?:5018|5020|5038|6304|6759|676[1-3])[0-9]{12}"  # Maestro
)
"""Issuers' first digits, and the lengths that their cards have."""
_DIGIT_VALUES = bytes(max(0, code - 48) for code in range(256))
_DOUBLED = bytes(sum(divmod(2 * max(0, min(code - 48, 9)), 10)) for code in range(256))
IBAN_LENGTHS = {
    **dict.fromkeys(("NO",), 15), **dict.fromkeys(("BE",), 16),
    **dict.fromkeys(("DK", "FI", "FO", "GL", "NL"), 18), **dict.fromkeys(("MK", "SI"), 19),
    **dict.fromkeys(("AT", "BA", "EE", "KZ", "LT", "LU", "XK"), 20),
    **dict.fromkeys(("CH", "CR", "HR", "LI", "LV"), 21),
    **dict.fromkeys(("BG", "BH", "DE", "GB", "GE", "IE", "ME", "RS", "VA"), 22),
    **dict.fromkeys(("AE", "GI", "IL", "IQ", "TL"), 23),
    **dict.fromkeys(("AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"), 24),
    **dict.fromkeys(("LY", "PT", "ST"), 25), **dict.fromkeys(("IS", "TR"), 26),
    **dict.fromkeys(("FR", "GR", "IT", "MC", "MR", "SM"), 27),
    **dict.fromkeys(("AL", "AZ", "BY", "CY", "DO", "GT", "HU", "LB", "NI", "PL", "SV"), 28),
    **dict.fromkeys(("BR", "EG", "PS", "QA", "UA"), 29), **dict.fromkeys(("JO", "KW", "MU"), 30),
    **dict.fromkeys(("MT", "SC"), 31), **dict.fromkeys(("LC",), 32),
}  # fmt: skip
_LENGTH_LIMIT = 4096
"""Of a value, as much is looked at where its letters are counted; a longer one is a secret anyway."""


def passes(check: Check, text: str, start: int, end: int, before: str) -> bool:
    """Whether the match passes the rule's check; `before` is the character before it, empty for none."""
    match check:
        case Check.NONE:
            return True
        case Check.LUHN:
            return _stands_alone(text, start, end, before) and is_card_number(text[start:end])
        case Check.IP_ADDRESS:
            return _is_foreign_address(text[start:end])
        case _:
            return value_passes(check, text[start:end])


def value_passes(check: Check, value: str) -> bool:
    """As `passes`, for a value that stands alone."""
    known = _CHECKS.get(check)
    return known is None or known(value)


def is_harmless(value: str) -> bool:
    """Whether a value stands for none, or is masked already."""
    return not value or IS_MASK.fullmatch(value) is not None or HARMLESS.fullmatch(value) is not None


def is_token_like(value: str) -> bool:
    """Letters and digits mixed, or long: not a word of prose. Masks in it do not count."""
    if len(value) > _LENGTH_LIMIT:
        return True
    value = IS_MASK.sub("", value) if "***" in value else value
    if len(value) < 8 or _CONSTANT.fullmatch(value):
        return False
    letters = sum(map(str.isalpha, value))
    digits = sum(map(str.isdigit, value))
    is_mixed_case = value[1:] != value[1:].lower() and value != value.upper()
    return letters > 0 and (digits > 0 or (is_mixed_case and len(value) >= 16) or len(value) >= 24)


def is_random(value: str) -> bool:
    """Long, of letters and digits: a generated token rather than a word that a model speaks."""
    return (
        len(value) >= 12
        and any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and " " not in value
    )


def is_generated(value: str) -> bool:
    """A token that a program made up, among the words of a sentence: letters of both cases, and digits."""
    if len(value) < 12 or not value.isascii() or not re.sub("[-_]", "", value).isalnum():
        return False
    if len(value) < _NAME_LENGTH and 5 * sum(map(len, _WORD.findall(value))) >= 3 * len(value):
        return False
    return value != value.lower() and value != value.upper() and sum(map(str.isdigit, value)) >= 2


def _is_strong(value: str) -> bool:
    """Letters of both cases, digits and signs, as rules for passwords ask for them."""
    if len(value) > _LENGTH_LIMIT or _PASSWORD.fullmatch(value) is None:
        return False
    has_signs = any(c in "!#$%^&*+?~" for c in value)
    is_mixed = value != value.lower() and value != value.upper()
    return has_signs and is_mixed and any(map(str.isdigit, value)) and len(value) >= 8


def _is_spoken(value: str) -> bool:
    """Whether a text is a word or a piece of one: letters of any script, with the marks of blanks."""
    if len(value) >= 12 or (
        len(value) >= 6 and any(map(str.isdigit, value)) and value.isascii() and value.strip() == value
    ):
        return False
    bare = value.strip(" \n\t#▁Ġ</|>.,;:!?'\"-_()")
    return not bare or (bare.isalnum() and len(bare) < 8) or not value.isascii()


def is_of_words(value: str) -> bool:
    """Words joined by signs: `test_utf8`, `db-creds-v2`, `src/auth.test.js`."""
    if _OBJECT.fullmatch(value):
        return True
    return _WORDS.fullmatch(value) is not None and 2 * sum(map(len, _WORD.findall(value))) >= len(value)


def is_password_like(value: str) -> bool:
    """A password rather than a word of the sentence it stands in."""
    if _PASSWORD.fullmatch(value) is None or IS_MASK.search(value) or _ALGORITHMS.fullmatch(value):
        return False
    has_letter = any(map(str.isalpha, value))
    return has_letter and (any(map(str.isdigit, value)) or any(c in "!@#$%^&*+?~" for c in value[:-1]))


def is_card_number(value: str) -> bool:
    """Whether digits are a payment card's: an issuer's first digits and length, and Luhn's check digit."""
    digits = value.replace(" ", "").replace("-", "").replace(".", "")
    if _CARD.fullmatch(digits) is None or len(set(digits)) < 2:
        return False
    raw = digits.encode()
    return (sum(raw[-1::-2].translate(_DIGIT_VALUES)) + sum(raw[-2::-2].translate(_DOUBLED))) % 10 == 0


def is_iban(value: str) -> bool:
    """Whether the text is an international bank account number: country, length, and mod 97."""
    compact = value.replace(" ", "").replace("-", "").upper()
    if len(compact) != IBAN_LENGTHS.get(compact[:2], 0) or not compact.isascii() or not compact.isalnum():
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def _has_random_piece(value: str) -> bool:
    if sum(map(str.isdigit, value)) >= 6:
        return True
    return any(
        len(piece) >= 16 and any(map(str.isdigit, piece)) and any(map(str.isalpha, piece))
        for piece in re.split(r"[-.]", value)
    )


def _is_basic_credentials(value: str) -> bool:
    try:
        decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (ValueError, binascii.Error):
        return False
    # SASL sets NULs around the user's name, HTTP a colon behind it.
    if decoded.count(b"\0") == 2:
        decoded = decoded.replace(b"\0", b":")
    return b":" in decoded and all(byte >= 32 and byte != 127 for byte in decoded)


def _is_foreign_address(value: str) -> bool:
    try:
        address = ipaddress.ip_address(value.strip("[]"))
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _stands_alone(text: str, start: int, end: int, before: str) -> bool:
    """Whether digits are a number of their own: no piece of a float, an id, a path or a longer number."""
    after = text[end : end + 1]
    if not begins_alone(before, text[start:end]):
        return False
    if after and (after.isalnum() or after in "_/\\@"):
        return False
    return not (after in (".", "-") and after and text[end + 1 : end + 2].isalnum())


def begins_alone(before: str, digits: str) -> bool:
    """Whether nothing before digits makes them a piece of something longer."""
    if before and (before.isalnum() or before in "._-/\\+#@"):
        return False
    return not (before == ":" and digits.isdigit())


def _is_seed(value: str) -> bool:
    return is_token_like(value) or _SEED.fullmatch(value) is not None


_CHECKS: dict[Check, Callable[[str], bool]] = {
    Check.LUHN: is_card_number,
    Check.IBAN: is_iban,
    Check.TOKEN_LIKE: is_token_like,
    Check.RANDOM: is_random,
    Check.GENERATED: lambda value: is_generated(value) or _is_strong(value),
    Check.PASSWORD: is_password_like,
    Check.NO_WORD: lambda value: not _is_spoken(value),
    Check.CODE: lambda value: value.isdigit() and 4 <= len(value) <= 8,
    Check.SEED: _is_seed,
    Check.HAS_DIGIT: _has_random_piece,
    Check.BASIC_CREDENTIALS: _is_basic_credentials,
    Check.IP_ADDRESS: _is_foreign_address,
}


def is_secret_value(rule: KeyRule, value: str) -> bool:
    """Whether a text under a key of the rule is to be taken out."""
    # Behind a mask stands what the rule that masked did not count to the secret.
    if is_harmless(value) or not value.strip() or IS_MASK.match(value):
        return False
    if rule.id == "authorization" and is_harmless(_SCHEME.sub("", value)):
        return False
    if rule.id == "secret" and _KUBERNETES.fullmatch(value):
        return False
    if rule.keeps_numbers and NUMBER.fullmatch(value):
        return False
    if rule.keeps_paths and PATH.match(value):
        return False
    return rule.check is Check.NONE or value_passes(rule.check, value)
