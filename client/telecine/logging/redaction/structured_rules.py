"""Secrets of a form of their own: keys in blocks, credentials in headers and URLs, numbers with check digits.

Examples are written in pieces, so that this file holds no string that looks like a secret.
"""

from __future__ import annotations

from telecine.logging.redaction.rules import Check, ValueRule
from telecine.logging.redaction.text import urls
from telecine.logging.redaction.text.checks import IBAN_LENGTHS

_ALNUM_40 = "a1B2c3D4e5F6g7H8i9J0" * 2
_BEFORE_DIGITS = r"""[ !"$%&'()*,;<=>?`{|}~[]"""
"""Not the colon, which stands before each number in JSON: only a word before it makes digits a card's."""
_HEX_32 = "0123456789abcdef" * 2
_UUID = "550e8400-e29b-41d4-a716-446655440000"

STRUCTURED_RULES = (
    ValueRule(
        id="private_key",
        hints=("private key",),
        pattern=r"-{4,5} ?(?i:BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?) ?-{4,5}(?P<secret>(?s:.*?))"
        r"(?:-{4,5} ?(?i:END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?) ?-{4,5}|$)",
        anchor=r"-{4,5} ?(?i:BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY)",
        trigger=r"(?i:PRIVATE KEY)(?: BLOCK| BLOCK | )?-",
        needs_left_edge=False,
        matches=(
            "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow" + _ALNUM_40 + "\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXk",
        ),
        spares=("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", "PRIVATE KEY not found"),
    ),
    ValueRule(
        id="putty_key",
        hints=("private-lines",),
        pattern=r"Private-Lines:[ \t]{0,4}[0-9]{1,4}(?:\s|\\[nr]){1,4}"
        r"(?P<secret>[A-Za-z0-9+/=\s\\]{8,65536})",
        anchor=r"Private-Lines:",
        trigger=r"Private-Lines:",
        matches=("PuTTY-User-Key-File-3: x\nPrivate-Lines: 1\nAAAAgQ" + _ALNUM_40 + "==\n",),
        spares=("Public-Lines: 6", "Private-Lines: none"),
    ),
    ValueRule(
        id="bearer_token",
        hints=("bearer",),
        pattern=r"(?i:bearer)[ \t]{1,4}(?P<secret>[A-Za-z0-9\-._~+/]{8,65536}={0,2})",
        anchor=r"(?i:bearer)[ \t]{1,4}",
        trigger=r"(?i:bearer)[ \t]{1,4}[A-Za-z0-9\-._~+/]{8}",
        check=Check.TOKEN_LIKE,
        matches=("sent Bearer " + "abc123def456ghi", "bearer " + _ALNUM_40),
        spares=("bearer authentication failed", "Bearer ***"),
    ),
    ValueRule(
        id="basic_credentials",
        hints=("basic",),
        pattern=r"(?i:basic)[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{6,65536}={0,2})",
        anchor=r"(?i:basic)[ \t]{1,4}",
        trigger=r"(?i:basic)[ \t]{1,4}[A-Za-z0-9+/]{6}",
        check=Check.BASIC_CREDENTIALS,
        matches=("Basic " + "dXNlcjpodW50ZXIy",),
        spares=("basic configuration loaded", "Basic authentication"),
    ),
    ValueRule(
        id="jwt",
        hints=("eyj",),
        # The three parts of a token; encrypted ones have five.
        pattern=r"(?P<secret>eyJ[A-Za-z0-9_-]{8,65536}\.[A-Za-z0-9_-]{8,65536}(?:\.[A-Za-z0-9_-]{0,65536}){0,3})",
        segment=r"[A-Za-z0-9_-]*",
        trigger=r"eyJ[A-Za-z0-9_-]{8}",
        needs_left_edge=False,
        matches=("token eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N",),
        spares=("eyJ", "keyJournal.example.com"),
    ),
    ValueRule(
        id=urls.RULE_ID,
        hints=("://",),
        pattern=urls.PATTERN,
        trigger=r"://[^\s/?#\"'<>:@]{0,256}:[^\s\"'<>]{1,512}@",
        needs_left_edge=False,
        matches=(
            "postgres://app:" + "hunter2@db:5432/clips",
            "https://:" + "p4ss@host/x",
            "postgres://app:" + "hun/t@er#2@db/clips?email=a@b",
        ),
        spares=(
            "http://localhost:50051/path",
            "https://example.com/@user",
            "rtsp://camera@10.0.0.1:554/1",
            "https://registry.example.com:8443/@scope/package",
            "redis://cache:6379/0",
        ),
    ),
    ValueRule(
        id="signed_url",
        hints=("signature=", "sig=", "token=", "auth=", "key=", "code=", "credential="),
        pattern=r"[?&](?i:x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|x-goog-credential|sig"
        r"|signature|token|access_token|id_token|refresh_token|auth|key|code|apikey|api_key|appid)"
        r"=(?P<secret>[^&\s\"'<>#\\]{8,65536})",
        anchor=r"[?&](?i:x-|sig|token|access_|id_t|refresh_|auth|key=|code=|api|appid)",
        trigger=r"[?&](?i:x-amz-s|x-amz-credential|x-goog-|sig|token|access_token|id_token|refresh_token|auth|key"
        r"|code|api_?key|appid)[a-z-]{0,16}=",
        needs_left_edge=False,
        check=Check.TOKEN_LIKE,
        matches=(
            "https://b.s3.amazonaws.com/c.mp4?X-Amz-Signature=" + _HEX_32 * 2 + "&x=1",
            "https://acct.blob.core.windows.net/c?sv=2024&sig=" + "a1b2C3d4%2Be5F6",
        ),
        spares=("/search?key=name&page=2", "?signature=none", "?code=ERR_CONNECTION_REFUSED"),
    ),
    ValueRule(
        id="card_number",
        pattern=r"(?P<secret>(?:3\d{3}|4\d{3}|5\d{3}|6\d{3}|2[2-7]\d{2})"
        r"(?:([ .-])\d{4}\2\d{4}\2\d{1,7}|[ -]\d{6}[ -]\d{4,5}|\d{9,15}))",
        anchor=r"[2-6]\d{3}[ .-]?\d{4}",
        # Behind the digits (19 at most) and before the groups: what rules out the ids in hex and the UUIDs.
        # What may stand before them is listed, for Hyperscan gets a pattern for each; the rare has its own.
        trigger=rf"{_BEFORE_DIGITS}[3-6]\d{{12,18}}(?:[^0-9A-Za-z_/@]|$)",
        more_triggers=(
            rf"{_BEFORE_DIGITS}(?:22|23|24|25|26|27)\d{{11,17}}(?:[^0-9A-Za-z_/@]|$)",
            r"\][2-6]\d{12}",
            r"\^[2-6]\d{12}",
            # Punctuation of other scripts.
            r"\xc2[\x80-\xbf][2-6]\d{12}",
            r"\xe2\x80[\x80-\xbf][2-6]\d{12}",
            r"\xe3\x80[\x80-\xbf][2-6]\d{12}",
            r"\xef\xbc[\x80-\xbf][2-6]\d{12}",
            # Behind what JSON escapes, whose last character may look like a piece of an id.
            r"(?:\\[bfnrt]|\n)[2-6]\d{12}",
            r"\\u[0-9a-fA-F]{4}[2-6]\d{3}[ .-]?\d{4}",
            r"\\[bf][2-6]\d{3}[ -]\d{4}",
            r"\*\*\*[2-6]\d{12}",
            r"[^0-9a-fA-F\-][2-6]\d{3}[ -]\d{4}[ -]\d{4}[ -]\d",
            r"[^0-9a-fA-F\-.][2-6]\d{3}\.\d{4}\.\d{4}\.\d",
            r"(?i:card|no\.|number|visa|amex) ?#[2-6]\d{12}",
            r"[^0-9a-fA-F\-]3\d{3}[ -]\d{6}[ -]\d{4}",
        ),
        check=Check.LUHN,
        matches=(
            "paid with 4111 1111 " + "1111 1111",
            "card 5555555555" + "554444",
            "3782-822463" + "-10005",
            "the card:\n411111111111" + "1111",
            "4222222" + "222222 was taken",
        ),
        spares=(
            "0.4111111111111111",
            "took 4111111111111112 ns",
            _UUID,
            "/data/4111111111111111/clip.mp4",
            "frame-4111111111111111",
            "IMEI 490154203237518",
        ),
    ),
    ValueRule(
        id="iban",
        pattern=r"(?P<secret>[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])",
        anchor=r"[A-Z]{2}[0-9]{2}[ ]?[A-Z0-9]{4}[ ]?[A-Z0-9]{4}",
        trigger=rf"(?:{'|'.join(sorted(IBAN_LENGTHS))})\d{{2}}[ ]?[A-Z0-9]{{4}}[ ]?[A-Z0-9]{{4}}",
        check=Check.IBAN,
        matches=(
            "to DE89 3704 0044 " + "0532 0130 00",
            "GB82WEST1234" + "5698765432 paid",
            "NO93 8601 " + "1117 947",
        ),
        spares=("DE88 3704 0044 0532 0130 00", "AB12CDEF34567890", "US64SVBKUS6S3300958879"),
    ),
    ValueRule(
        id="email",
        hints=("@",),
        pattern=r"(?P<secret>[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,6})",
        anchor=r"[A-Za-z0-9._%+\-]{1,64}@",
        trigger=r"[A-Za-z0-9._%+\-]@[A-Za-z0-9\-]{1,63}\.[A-Za-z]",
        is_on=False,
        matches=("sent to ada@example.com today",),
        spares=("user@localhost", "decorator @property"),
    ),
    ValueRule(
        id="ip_address",
        pattern=r"(?P<secret>(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![.\d]|-\d)"
        r"|(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6})",
        anchor=r"\d{1,3}\.\d{1,3}\.\d{1,3}\.|[0-9a-fA-F]{1,4}:[0-9a-fA-F:]{2}",
        trigger=r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d",
        more_triggers=(r"[0-9a-fA-F]{1,4}:(?::[0-9a-fA-F]|[0-9a-fA-F]{1,4}:[0-9a-fA-F])",),
        check=Check.IP_ADDRESS,
        is_on=False,
        matches=("from 203.0.113." + "7:443", "peer 2001:db8::" + "8a2e:370:7334 left"),
        spares=("listening on 127.0.0.1:50051", "version 1.2.3", "at 12:30:45", "::1"),
    ),
)
