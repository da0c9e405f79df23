"""Names under which only what looks like a secret is one: they stand for other things too."""

from __future__ import annotations

from telecine.logging.redaction.rules import Check, KeyRule, Position

CHECKED_KEYS = (
    KeyRule(
        # Words of a language model are called so too.
        id="token",
        phrases=("token",),
        position=Position.WHOLE,
        keeps_numbers=True,
        check=Check.NO_WORD,
        is_prose=True,
        matches=("token", "TOKEN", "--token"),
        spares=("tokenizer",),
    ),
    KeyRule(
        id="token",
        phrases=("token value", "token string", "token data", "token secret"),
        position=Position.LAST,
        keeps_numbers=True,
        check=Check.TOKEN_LIKE,
        matches=("tokenValue", "token_string"),
        spares=("token_values_shape",),
    ),
    KeyRule(
        id="api_key",
        phrases=(
            *(
                "functions key",
                "fastly key",
                "clickhouse key",
                "honeycomb team",
                "write key",
                "application key",
            ),
            *(
                "consumer key",
                "aws key",
                "instrumentation key",
                "app certificate",
                "data key",
                "signature key",
            ),
            *(
                "unlock code",
                "auth code",
                "activation code",
                "passkey",
                "pass key",
                "unlock key",
                "wallet key",
                "jwt assertion",
            ),
        ),
        position=Position.LAST,
        keeps_paths=True,
        check=Check.TOKEN_LIKE,
        spares=("data_key_id", "auth_code_ttl", "passkey_count"),
    ),
    KeyRule(
        id="private_key",
        phrases=(
            *(
                "certificate key",
                "client key data",
                "priv key",
                "wifi key",
                "wpa key",
                "wep key",
                "network key",
            ),
            *("host key data", "kek", "dek"),
        ),
        position=Position.LAST_WORD,
        keeps_paths=True,
        check=Check.TOKEN_LIKE,
        spares=("wifi_key_mgmt", "certificate_key_path", "priv_key_size"),
    ),
    KeyRule(
        id="private_key",
        phrases=(
            "mnemonic",
            "seed phrase",
            "recovery phrase",
            "mnemonic phrase",
            "seed words",
            "recovery words",
        ),
        position=Position.LAST,
        check=Check.SEED,
        spares=("mnemonic_count", "seed"),
    ),
    KeyRule(
        id="password",
        phrases=("clave", "contrasenia"),
        position=Position.LAST_WORD,
        is_prose=True,
        check=Check.TOKEN_LIKE,
        spares=("enclave", "clave_id"),
    ),
    KeyRule(
        id="pwd",
        phrases=("psw", "passw", "bind pw", "root pw", "ldap pw", "smtp pw", "mysql pw", "ftp pw", "my pw"),
        position=Position.LAST,
        keeps_numbers=True,
        matches=("psw", "passw", "bindpw", "rootpw", "olcRootPW"),
        spares=("psw_count", "passw_count"),
    ),
    KeyRule(
        id="one_time_code",
        phrases=("pin", "card pin", "sim pin", "user pin"),
        position=Position.WHOLE,
        check=Check.CODE,
        is_prose=True,
        spares=("pins", "spin", "pin_count"),
    ),
    KeyRule(
        id="snmp_community",
        phrases=("community",),
        position=Position.WHOLE,
        check=Check.TOKEN_LIKE,
        spares=("communities",),
    ),
    KeyRule(
        id="token",
        phrases=("tok", "crumb"),
        position=Position.WHOLE,
        check=Check.GENERATED,
        spares=("toks", "breadcrumb"),
    ),
)
"""They come before the others: the first rule that covers a key decides."""
