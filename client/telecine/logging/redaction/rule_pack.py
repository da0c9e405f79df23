"""The rules that are in force by default."""

from __future__ import annotations

from telecine.logging.redaction.checked_keys import CHECKED_KEYS
from telecine.logging.redaction.cloud_tokens import CLOUD_TOKENS
from telecine.logging.redaction.key_rules import (
    IDENTIFIER_KEY_ENDINGS,
    KEY_RULES,
    SPARED_KEY_ENDINGS,
    SPARED_KEYS,
)
from telecine.logging.redaction.placed_secrets import PLACED_SECRETS
from telecine.logging.redaction.program_output import PROGRAM_OUTPUT
from telecine.logging.redaction.rules import RulePack
from telecine.logging.redaction.service_tokens import SERVICE_TOKENS
from telecine.logging.redaction.structured_rules import STRUCTURED_RULES

DEFAULT_PACK = RulePack(
    values=(*STRUCTURED_RULES, *SERVICE_TOKENS, *CLOUD_TOKENS, *PLACED_SECRETS, *PROGRAM_OUTPUT),
    keys=(*CHECKED_KEYS, *KEY_RULES),
    spared_key_endings=SPARED_KEY_ENDINGS,
    spared_keys=SPARED_KEYS,
    identifier_key_endings=IDENTIFIER_KEY_ENDINGS,
)
"""What is in force unless configuration says otherwise."""
