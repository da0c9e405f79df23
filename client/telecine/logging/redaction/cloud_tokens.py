"""Tokens of clouds, ledgers and webhooks, and hashes of passwords: each by the letters it has of its own.

Examples are written in pieces, so that this file holds no string that looks like a secret.
"""

from __future__ import annotations

from telecine.logging.redaction.rules import Check, ValueRule
from telecine.logging.redaction.service_tokens import token_rule

_ALNUM_40 = "a1B2c3D4e5F6g7H8i9J0" * 2
_HEX_32 = "0123456789abcdef" * 2
_UUID = "550e8400-e29b-41d4-a716-446655440000"
_CRYPT = r"[A-Za-z0-9./]"
_NATS_BEGINNINGS = tuple(f"s{kind}{first}" for kind in "acnoux" for first in "abcd")
"""Each has a trigger of its own: an engine looks for literals many times as fast as for classes."""

_TOKENS = (
    token_rule(
        "datadog_token", "ddpat_ ddapp_", r"[A-Za-z0-9]{22}_[a-f0-9]{64}", _ALNUM_40[:22] + "_" + _HEX_32 * 2
    ),
    token_rule(
        "discord_mfa_token", "mfa.", r"[A-Za-z0-9_-]{80,95}", _ALNUM_40 * 2 + "abcd", spares=("mfa.enabled",)
    ),
    token_rule(
        "vercel_blob_token",
        "vercel_blob_rw_",
        r"[A-Za-z0-9]{14,18}_[A-Za-z0-9]{28,40}",
        _ALNUM_40[:16] + "_" + _HEX_32,
    ),
    token_rule("amazon_mws_token", "amzn.mws.", r"[0-9a-f-]{36}", _UUID),
    token_rule(
        "grub_hash",
        "grub.pbkdf2.sha512.",
        r"[0-9]{1,7}\.[0-9A-F]{32,512}\.[0-9A-F]{32,512}",
        "10000." + "0123456789ABCDEF" * 3 + "." + "0123456789ABCDEF" * 3,
    ),
    token_rule("jina_key", "jina_", r"[A-Za-z0-9_-]{40,80}", _ALNUM_40 + _ALNUM_40[:20]),
    token_rule("firecrawl_key", "fc-", r"[0-9a-f]{32}", _HEX_32),
    token_rule("e2b_key", "e2b_", r"[0-9a-f]{40}", _HEX_32 + "01234567"),
    token_rule("xata_key", "xau_", r"[A-Za-z0-9]{40,64}", _ALNUM_40),
    token_rule("gitpod_token", "gitpod_pat_", r"[A-Za-z0-9_.-]{32,256}", _ALNUM_40),
    token_rule("trello_token", "ATTA", r"[0-9a-fA-F]{64,80}", _HEX_32 * 2),
    token_rule("woocommerce_key", "cs_ ck_", r"[0-9a-f]{40}", _HEX_32 + "01234567"),
    token_rule("zoho_token", "1000.", r"[0-9a-f]{32}\.[0-9a-f]{32}", _HEX_32 + "." + _HEX_32),
    token_rule(
        "matrix_token",
        "syt_",
        r"[A-Za-z0-9+/=_-]{4,128}_[A-Za-z0-9]{18,24}_[A-Za-z0-9]{6}",
        "YWRh_" + _ALNUM_40[:20] + "_1aB2cD",
    ),
    token_rule("vk_token", "vk1.a.", r"[A-Za-z0-9_-]{60,512}", _ALNUM_40 * 2),
    token_rule("nostr_key", "nsec1", r"[02-9ac-hj-np-z]{58}", "q2w3e4r5t6" * 5 + "q2w3e4r5"),
    token_rule(
        "kerberos_hash",
        "$krb5tgs$ $krb5asrep$ $krb5pa$",
        r"[0-9]{1,2}\$[^\s\"']{1,256}\$[0-9a-fA-F]{32,8192}",
        "23$*svc$X$srv*$" + _HEX_32 + "$" + _HEX_32 * 2,
    ),
    token_rule(
        "defined_key",
        "dnkey-",
        r"[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52,64}",
        _ALNUM_40[:26] + "-" + _ALNUM_40 + "abcdefghijkl",
    ),
    token_rule(
        "authress_key",
        "sc_ ext_ authress_",
        r"[a-z0-9]{5,30}\.[a-z0-9]{3,8}[.]?acc[_-][a-z0-9-]{10,32}\.[A-Za-z0-9+/_=-]{30,120}",
        "a1b2c3d4e5.k1l2.acc-" + "a1b2c3d4e5f6." + _ALNUM_40,
    ),
    ValueRule(
        id="generated_key",
        anchor=r"(?:pa|secret|console)[_-][A-Za-z0-9_-]{43}",
        hints=("pa-", "secret_", "secret-", "console-"),
        pattern=r"(?P<secret>(?:pa-|secret[_-]|console-)[A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])",
        trigger=r"pa-[A-Za-z0-9_-]{43}",
        more_triggers=(r"secret[_-][A-Za-z0-9]{43}", r"console-[A-Za-z0-9]{43}"),
        check=Check.GENERATED,
        matches=("pa-" + _ALNUM_40 + "1aB", "secret_" + _ALNUM_40 + "1aB"),
        spares=("pa-" + "a" * 43, "secret_manager_client_version_two_is_now_in_use"),
    ),
    ValueRule(
        id="deepl_key",
        hints=(":fx",),
        pattern=r"(?P<secret>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:fx)(?![A-Za-z0-9])",
        anchor=r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:fx",
        trigger=r"[0-9a-f]{12}:fx",
        matches=(_UUID + ":fx",),
        spares=(_UUID,),
    ),
    ValueRule(
        id="twilio_login",
        hints=("ac",),
        pattern=r"AC[0-9a-f]{32}:(?P<secret>[0-9a-f]{32})(?![A-Za-z0-9])",
        anchor=r"AC[0-9a-f]{32}:",
        trigger=r"AC[0-9a-f]{32}:[0-9a-f]{32}",
        matches=("AC" + _HEX_32 + ":" + _HEX_32,),
        spares=("AC" + _HEX_32,),
    ),
    token_rule("dbt_token", "dbtc_ dbtu_", r"[A-Za-z0-9_-]{36,64}", _ALNUM_40),
    token_rule("workos_key", "sk_a2V5", r"[A-Za-z0-9+/]{20,96}", _ALNUM_40),
    token_rule("intercom_token", "dG9rO", r"[A-Za-z0-9+/_-]{30,96}={0,2}", _ALNUM_40),
    token_rule(
        "infisical_token",
        "st.",
        r"[0-9a-f-]{24,36}\.[0-9a-f]{32}\.[0-9a-f]{32}",
        _UUID + "." + _HEX_32 + "." + _HEX_32,
        spares=("st.session_state",),
    ),
    token_rule("hcaptcha_secret", "ES_", r"[0-9a-f]{32}", _HEX_32, spares=("ES_256",), joins=True),
    token_rule(
        "bip32_key", "xprv yprv zprv tprv", r"[1-9A-HJ-NP-Za-km-z]{100,112}", "a1B2c3D4e5" * 10 + "abcd"
    ),
    token_rule("minisign_key", "RWRTY0Iy", r"[A-Za-z0-9+/=]{140,256}", _ALNUM_40 * 4),
    token_rule(
        "yandex_cloud_token",
        "t1.",
        r"[A-Za-z0-9_-]{20,512}={0,2}\.[A-Za-z0-9_-]{86}",
        _ALNUM_40 + "." + _ALNUM_40 * 2 + "abcdef",
        spares=("t1.micro",),
    ),
    token_rule("lark_token", "t-g10 t-g20 t-c10", r"[A-Za-z0-9]{30,50}", _ALNUM_40),
    ValueRule(
        id="yandex_storage_key",
        hints=("yc",),
        pattern=r"(?P<secret>YC[MNOPL][A-Za-z0-9_-]{37})(?![A-Za-z0-9_-])",
        trigger=r"YC[MNOPL][A-Za-z0-9_-]{37}",
        check=Check.GENERATED,
        matches=("YCM" + _ALNUM_40[:37],),
        spares=("YCbCr", "YCM" + "a" * 37),
    ),
    ValueRule(
        id="crates_token",
        hints=("cio",),
        pattern=r"(?P<secret>cio[A-Za-z0-9]{32})(?![A-Za-z0-9])",
        trigger=r"cio[A-Za-z0-9]{32}",
        check=Check.GENERATED,
        matches=("cio" + _ALNUM_40[:32],),
        spares=("cio" + "abcdefgh" * 4,),
    ),
    ValueRule(
        id="modal_token",
        hints=("ak-", "as-"),
        pattern=r"(?P<secret>a[ks]-[A-Za-z0-9]{22})(?![A-Za-z0-9_-])",
        trigger=r"a[ks]-[A-Za-z0-9]{22}",
        check=Check.GENERATED,
        joins_underscore=True,
        matches=("ak-" + _ALNUM_40[:22], "as-" + _ALNUM_40[:22]),
        spares=("as-of-2024-01-01-of-that-day", "ak-47"),
    ),
    ValueRule(
        id="fireworks_key",
        hints=("fw_",),
        pattern=r"(?P<secret>fw_[A-Za-z0-9]{22,24})(?![A-Za-z0-9_-])",
        trigger=r"fw_[A-Za-z0-9]{22}",
        check=Check.GENERATED,
        joins_underscore=True,
        matches=("fw_" + _ALNUM_40[:24],),
        spares=("fw_update2024stableversion", "fw_version"),
    ),
    ValueRule(
        id="twitch_token",
        hints=("oauth:",),
        pattern=r"oauth:(?P<secret>[a-z0-9]{30})(?![A-Za-z0-9_-])",
        check=Check.HAS_DIGIT,
        trigger=r"oauth:[a-z0-9]{30}",
        matches=("oauth:" + "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5",),
        spares=("oauth:device", "oauth:" + "a" * 30),
    ),
    ValueRule(
        id="azure_key",
        hints=("jqqj9",),
        pattern=r"(?P<secret>[A-Za-z0-9]{52}JQQJ9[A-Za-z0-9]{20,40})",
        anchor=r"[A-Za-z0-9]{52}JQQJ9",
        trigger=r"[A-Za-z0-9]{4}JQQJ9[A-Za-z0-9]{20}",
        matches=(_ALNUM_40 + "a1B2c3D4e5F6" + "JQQJ99" + "AKACAAAAAAAAAAAAASAZDOaB1c",),
        spares=("JQQJ99",),
    ),
    ValueRule(
        id="asana_token",
        hints=("/",),
        pattern=r"(?P<secret>[012]/[0-9]{15,17}(?:/[0-9]{15,17})?:[0-9a-f]{32})(?![A-Za-z0-9])",
        anchor=r"[012]/[0-9]{15}",
        trigger=r"1/[0-9]{15,17}[/:][0-9a-f]{15}",
        more_triggers=(r"2/[0-9]{15,17}[/:][0-9a-f]{15}", r"0/[0-9]{15,17}[/:][0-9a-f]{15}"),
        matches=(
            "2/" + "1200000000000000/1200000000000001:" + _HEX_32,
            "1/" + "1200000000000001:" + _HEX_32,
        ),
        spares=("1/1234567890123456", "2/3 done"),
    ),
    ValueRule(
        id="twitter_bearer",
        hints=("aaaaaaaaaaaaaaaaaaaa",),
        pattern=r"(?P<secret>" + "A" * 21 + r"[A-Za-z0-9]{4,60}(?:%[0-9A-F]{2}[A-Za-z0-9]{1,80}){1,6})",
        trigger=r"A{21}[A-Za-z0-9]{4,60}%[23]",
        matches=("A" * 21 + "Mlhe" + "AAAAAAA0%2BuSeid%3D" + _ALNUM_40,),
        spares=("A" * 64, "A" * 40 + "%3D%3D"),
    ),
    ValueRule(
        id="mailgun_private_key",
        hints=("-",),
        pattern=r"(?P<secret>[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})(?![A-Za-z0-9-])",
        anchor=r"[0-9a-f]{32}-[0-9a-f]{8}-",
        trigger=r"[0-9a-f]{32}-[0-9a-f]{8}-",
        matches=(_HEX_32 + "-" + "01234567-89abcdef",),
        spares=(_UUID, _HEX_32 + "-01234567"),
    ),
    ValueRule(
        id="new_relic_license",
        hints=("nral",),
        pattern=r"(?P<secret>[0-9a-f]{36}NRAL)",
        anchor=r"[0-9a-f]{36}NRAL",
        trigger=r"[0-9a-f]{4}NRAL",
        matches=(_HEX_32 + "0123" + "NRAL",),
        spares=("NRAL",),
    ),
    ValueRule(
        id="firebase_token",
        hints=(":apa91b",),
        pattern=r"(?P<secret>AAAA[A-Za-z0-9_-]{7}:APA91b[A-Za-z0-9_-]{60,200})",
        trigger=r":APA91b[A-Za-z0-9_-]{32}",
        matches=("AAAAa1b2c3d" + ":APA91b" + _ALNUM_40 * 3,),
    ),
    ValueRule(
        id="rancher_token",
        hints=("token-",),
        pattern=r"token-[a-z0-9]{5}:(?P<secret>[a-z0-9]{54})(?![A-Za-z0-9])",
        trigger=r"token-[a-z0-9]{5}:[a-z0-9]{54}",
        matches=("token-abc12:" + "a1b2c3" * 9,),
        spares=("token-abc12:12",),
    ),
    ValueRule(
        id="nats_seed",
        hints=_NATS_BEGINNINGS,
        pattern=r"(?P<secret>S[ACNOUX][ABCD][A-Z2-7]{55})(?![A-Za-z0-9])",
        trigger=f"{_NATS_BEGINNINGS[0].upper()}[A-Z2-7]{{55}}",
        more_triggers=tuple(f"{beginning.upper()}[A-Z2-7]{{55}}" for beginning in _NATS_BEGINNINGS[1:]),
        matches=("SUA" + "Q2W3E4R5T6Y7U3I4O5P6" * 2 + "Q2W3E4R5T6Y7U3I",),
    ),
    ValueRule(
        id="webhook_path",
        hints=("/",),
        pattern=r"(?:\.infura\.io/v3|\.alchemy\.com/v2|\.alchemyapi\.io/v2|/open-apis/bot/v2/hook"
        r"|\.make\.com|/receiver/v1/http|/with/key|\.pipedream\.net)/(?P<secret>[A-Za-z0-9_=-]{20,160})",
        trigger=r"(?:infura\.io/v3|alchemy\.com/v2|alchemyapi\.io/v2|/bot/v2/hook|\.make\.com|/receiver/v1/http"
        r"|/with/key|\.pipedream\.net)/[A-Za-z0-9_=-]{20}",
        needs_left_edge=False,
        check=Check.HAS_DIGIT,
        matches=(
            "https://mainnet.infura.io/v3/" + _HEX_32,
            "https://hook.eu1.make.com/" + "a1b2c3d4" * 4,
        ),
        spares=("https://mainnet.infura.io/v3/", "https://www.make.com/en/help/modules-and-templates"),
    ),
    ValueRule(
        id="reset_link",
        hints=("/",),
        pattern=r"/(?:reset-password|password-reset|password/reset|verify-email|magic-link|reset_password)"
        r"/(?P<secret>[A-Za-z0-9_-]{12,512})",
        trigger=r"/(?:reset-password|password-reset|password/reset|verify-email|magic-link|reset_password)/[A-Za-z0-9_-]{12}",
        needs_left_edge=False,
        check=Check.GENERATED,
        matches=("GET /reset-password/" + _ALNUM_40[:20],),
        spares=("/reset-password/confirm-your-new", "/password/reset/done"),
    ),
)

_HASHES = (
    token_rule(
        "bcrypt_hash",
        "$2a$ $2b$ $2y$ $2x$",
        r"[0-9]{2}\$" + _CRYPT + "{53}",
        "12$" + _ALNUM_40 + "abcdefghijklm",
    ),
    token_rule(
        "crypt_hash",
        "$1$ $5$ $6$ $apr1$ $sha1$ $md5$",
        r"(?:rounds=[0-9]{1,9}\$)?" + _CRYPT + r"{0,32}\$" + _CRYPT + "{22,128}",
        "a1B2c3D4$" + _ALNUM_40,
        spares=("$1$2$3",),
    ),
    token_rule(
        "yescrypt_hash",
        "$y$ $gy$ $7$",
        _CRYPT + r"{1,16}\$" + _CRYPT + r"{1,86}\$" + _CRYPT + "{43}",
        "j9T$" + _ALNUM_40[:22] + "$" + _ALNUM_40 + "abc",
    ),
    token_rule(
        "argon2_hash",
        "$argon2id$ $argon2i$ $argon2d$",
        r"(?:v=[0-9]{1,4}\$)?[a-z0-9=,]{1,64}\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{16,256}",
        "v=19$m=65536,t=3,p=4$" + _ALNUM_40[:22] + "$" + _ALNUM_40,
        spares=("argon2id m=65536 t=3 p=4",),
    ),
    token_rule(
        "pbkdf2_hash",
        "pbkdf2_sha256$ pbkdf2_sha1$ pbkdf2_sha512$ pbkdf2:sha256: pbkdf2:sha512: pbkdf2:sha1:"
        " $pbkdf2-sha256$"
        " $pbkdf2-sha512$ $pbkdf2$",
        r"[0-9]{1,9}\$[^\s$\"'\\]{1,128}\$[A-Za-z0-9+/=.]{20,256}",
        "600000$" + _ALNUM_40[:22] + "$" + _ALNUM_40,
    ),
    token_rule(
        "scrypt_hash",
        "scrypt: $scrypt$",
        r"[0-9a-z=,:]{3,64}\$[^\s$\"'\\]{1,128}\$[A-Za-z0-9+/=.]{20,256}",
        "32768:8:1$" + _ALNUM_40[:16] + "$" + _HEX_32 * 4,
    ),
    token_rule(
        "ldap_hash",
        "{SSHA} {SHA} {SSHA256} {SSHA512} {SHA512} {SMD5} {CRYPT} {ssha} {crypt}",
        r"[A-Za-z0-9+/.$]{22,200}={0,2}",
        _ALNUM_40,
    ),
    token_rule(
        "scram_verifier",
        "SCRAM-SHA-256$ SCRAM-SHA-1$ SCRAM-SHA-512$",
        r"[0-9]{1,8}:[A-Za-z0-9+/=]{8,128}\$[A-Za-z0-9+/=]{20,128}:[A-Za-z0-9+/=]{20,128}",
        "4096:" + _ALNUM_40[:22] + "==$" + _ALNUM_40 + "abc=:" + _ALNUM_40 + "abc=",
        spares=("SCRAM-SHA-256 selected",),
    ),
)

_KEYS = (
    ValueRule(
        id="der_private_key",
        hints=(
            "ibadanbgkqhkig9w0",
            "ibaakc",
            "mhccaqeei",
            "migHagEamBMGByqGSM49".lower(),
            "mc4caqawbqydk2vwbcie",
            "b3blbnnzac1rzxktdjea",
        ),
        pattern=r"(?P<secret>(?:MII[A-Za-z0-9+/]{3}IBA(?:DANBgkqhkiG9w0|AKC)|MHcCAQEEI|MIGHAgEAMBMGByqGSM49"
        r"|MC4CAQAwBQYDK2VwBCIE|b3BlbnNzaC1rZXktdjEA)[A-Za-z0-9+/=]{24,65536}"
        r"(?:(?:\\[rn]|\s){1,4}[A-Za-z0-9+/=]{60,128}){0,512}(?:(?:\\r|\r)?(?:\\n|\n)[A-Za-z0-9+/]{1,128}={0,2})?)",
        anchor=r"MII[A-Za-z0-9+/]{3}IBA|MHcCAQEEI|MIGHAgEAM|MC4CAQAwB|b3BlbnNzaC1rZXktdjEA",
        trigger=r"IBADANBgkqhkiG9w0|IBAAKC|MHcCAQEEI|MIGHAgEAMBMGByqGSM49|MC4CAQAwBQYDK2VwBCIE|b3BlbnNzaC1rZXktdjEA",
        matches=(
            "MIIEvQIBADANBgkqhkiG9w0" + _ALNUM_40,
            "MIIEpAIBAAKC" + _ALNUM_40,
            "b3BlbnNzaC1rZXktdjEA" + _ALNUM_40,
        ),
        spares=("MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A", "MIIEpAIBAAKC"),
    ),
    ValueRule(
        id="jwk",
        hints=("kty",),
        pattern=r"\"(?:d|p|q|dp|dq|qi|k)\\{0,8}\"\s{0,4}:\s{0,4}\\{0,8}\"(?P<secret>[A-Za-z0-9_-]{40,4096})",
        anchor=r"\"(?:d|p|q|dp|dq|qi|k)\\{0,8}\"\s{0,4}:",
        trigger=r"\"kty\\{0,8}\"",
        needs_left_edge=False,
        check=Check.GENERATED,
        matches=('{"kty": "OKP", "crv": "Ed25519", "d": "' + _ALNUM_40 + 'abc"}',),
        spares=('{"kty": "RSA", "e": "AQAB", "n": "' + _ALNUM_40 + '"}', '{"d": "' + _HEX_32 * 2 + '"}'),
    ),
    ValueRule(
        id="seed_phrase",
        hints=("mnemonic", "phrase", "words"),
        pattern=r"(?i:mnemonic|(?:seed|recovery|secret|backup)[ _-]?(?:phrase"
        r"|words))[\"' :=\\]{1,12}(?:(?:is|was)[ :]{1,2})?"
        r"[\"'\\]{0,4}(?P<secret>(?:[a-z]{3,8}[ ,]{1,2}){11,23}[a-z]{3,8})",
        anchor=r"(?i:mnemonic|(?:seed|recovery|secret|backup)[ _-]?(?:phrase|words))",
        trigger=r"(?i:mnemonic|(?:seed|recovery|secret|backup)[ _-]?(?:phrase|words))[\"' :=\\]",
        needs_left_edge=False,
        matches=(
            "seed phrase: " + "witch collapse practice feed shame open despair creek road again ice least",
        ),
        spares=("the seed phrase is 12 words", "mnemonic: ADD"),
    ),
)

CLOUD_TOKENS = (*_TOKENS, *_HASHES, *_KEYS)
"""All of them."""
