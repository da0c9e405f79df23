"""Names under which secrets stand, and names that only look like them."""

from __future__ import annotations

from telecine.logging.redaction.rules import Check, KeyRule, Position

KEY_RULES = (
    KeyRule(
        id="password",
        phrases=(
            *(
                "pass word",
                "pass wd",
                "pass phrase",
                "pass code",
                "pswd",
                "pass wort",
                "kenn wort",
                "identified by",
            ),
            # Password in other languages, with and without their accents.
            *(
                "contrasena",
                "mot de passe",
                "mot passe",
                "wachtwoord",
                "losenord",
                "lösenord",
                "passord",
                "haslo",
                "hasło",
            ),
            *(
                "salasana",
                "jelszo",
                "jelszó",
                "adgangskode",
                "senha",
                "heslo",
                "palavra passe",
                "parola chiave",
                "contraseña",
            ),
            *(
                "пароль",
                "密码",
                "密碼",
                "口令",
                "パスワード",
                "暗証番号",
                "비밀번호",
                "암호",
                "şifre",
                "mật khẩu",
            ),
            *("κωδικός πρόσβασης", "סיסמה", "كلمة المرور", "รหัสผ่าน", "पासवर्ड", "лозинка"),
        ),
        is_prose=True,
        matches=(
            "password",
            "DB_PASSWORD",
            "userPassword",
            "pass-phrase",
            "password_hash",
            "passwords",
            "PASSWORD2",
            "contraseña",
            "Contrasena",
            "mot_de_passe",
            "Пароль",
            "密码",
            "р\u0430ssw\u043erd",
            "pass\u200bword",
            "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",
        ),
        spares=("password_length", "passwordPolicy", "passenger", "compass_word_count"),
    ),
    KeyRule(
        id="pwd",
        phrases=(
            "pwd",
            "mdp",
            "db pass",
            "user pass",
            "pg pass",
            "mysql pass",
            "smtp pass",
            "ftp pass",
            "ssh pass",
            "admin pass",
        ),
        position=Position.LAST,
        keeps_paths=True,
        is_prose=True,
        matches=("pwd", "db_pwd", "UserPwd", "DB_PASS"),
        spares=("pwd_path",),
    ),
    KeyRule(
        id="secret",
        phrases=("secrets",),
        position=Position.LAST,
        keeps_numbers=True,
        matches=("secrets", "app_secrets"),
        spares=("secrets_path", "secrets_count"),
    ),
    KeyRule(
        id="secret",
        phrases=("secret", "secret key", "secret access key"),
        is_prose=True,
        matches=("secret", "client_secret", "AWS_SECRET_ACCESS_KEY", "secretKey", "webhook.secret"),
        spares=("secret_name", "secretary", "secretArn", "secretsmanager"),
    ),
    KeyRule(
        id="api_key",
        phrases=(
            "api key",
            "app key",
            "access key",
            "account key",
            "subscription key",
            "license key",
        ),
        is_prose=True,
        matches=("api_key", "X-Api-Key", "apiKey", "APIKEY", "openai.api.key", "x-goog-api-key", "api_keys"),
        spares=("api_key_id", "AccessKeyId", "cache_key", "primary_key", "key"),
    ),
    KeyRule(
        id="private_key",
        phrases=(
            *("private key", "signing key", "encryption key", "master key", "shared key"),
            *("ssh key", "hmac key", "auth key", "storage key", "decryption key"),
        ),
        matches=("private_key", "ssh-key", "SigningKey"),
        spares=("private_key_path", "public_key"),
    ),
    KeyRule(
        id="credentials",
        phrases=("credential", "credentials"),
        matches=("credentials", "aws_credentials", "Credential"),
        spares=("credential_id", "credentials_file"),
    ),
    KeyRule(
        id="authorization",
        phrases=("authorization",),
        matches=("Authorization", "proxy-authorization", "authorization", "HTTP_AUTHORIZATION"),
        spares=("authorization_url",),
    ),
    KeyRule(
        id="cookie",
        phrases=("cookie", "cookies"),
        matches=("Cookie", "Set-Cookie", "cookies", "session_cookie"),
        spares=("cookie_count", "cookiecutter"),
    ),
    KeyRule(
        id="token",
        phrases=("token", "jwt", "access tokens", "auth tokens", "api tokens", "refresh tokens", "bearer"),
        position=Position.LAST,
        keeps_numbers=True,
        is_prose=True,
        matches=("token", "jwt_token", "accessToken", "X-Auth-Token", "id.token", "jwt", "refresh_tokens"),
        spares=("max_tokens", "eos_token", "next_page_token", "token_count", "tokenizer"),
    ),
    KeyRule(
        # Words of a language model are called so too.
        id="token",
        phrases=("tokens", "bearers", "jwts"),
        position=Position.LAST,
        keeps_numbers=True,
        check=Check.RANDOM,
        spares=("tokenizers",),
    ),
    KeyRule(
        id="one_time_code",
        phrases=(
            *(
                "verification code",
                "security code",
                "confirmation code",
                "one time code",
                "one time password",
            ),
            *("login code", "otp code", "mfa code", "2fa code", "totp", "authentication code", "pin code"),
        ),
        position=Position.LAST,
        is_prose=True,
        matches=("verification_code", "otp_code", "mfa_code"),
        spares=("error_code", "status_code", "verification_code_sent"),
    ),
    KeyRule(
        id="one_time_code",
        phrases=("otp", "cvv", "cvc", "cvv2", "auth", "ssn", "card number"),
        position=Position.WHOLE,
        is_prose=True,
        matches=("otp", "CVV", "auth", "card_number"),
        spares=("author", "auth_method", "passes"),
    ),
    KeyRule(
        id="password",
        phrases=("pass",),
        position=Position.WHOLE,
        keeps_numbers=True,
        matches=("pass",),
        spares=("passes", "bypass"),
    ),
    KeyRule(
        id="card_number",
        phrases=(
            "card",
            "card no",
            "card num",
            "cc",
            "cc number",
            "cc num",
            "pan",
            "kreditkarte",
            "carte",
            "tarjeta",
        ),
        position=Position.LAST,
        check=Check.LUHN,
        spares=("cardinal", "discard_count"),
    ),
)

SPARED_KEY_ENDINGS = (
    "id", "ids", "name", "names", "type", "length", "len", "size", "count", "counts", "policy", "required",
    "enabled", "path", "paths", "file", "filename", "at", "age", "ttl", "expiry", "expires", "expired",
    "version", "valid", "present", "changed", "url", "uri", "ref", "arn", "usage", "status", "ms", "seconds",
    "hint", "hints", "manager", "provider", "store", "format", "field", "fields", "index", "prompt",
    "strength",    "reset", "rules", "mode", "kind", "env", "algorithm", "error", "errors"
)  # fmt: skip
"""Last words that make a key harmless: `secret_name`, `password_length`."""

SPARED_KEYS = (
    "page token", "next token", "continuation token", "sync token", "eos token", "bos token",
    "pad token",    "unk token",    "sep token", "cls token", "mask token", "stop token",
    "image token", "video token", "first token",
    "last token", "special token", "per token", "end token", "start token", "cancellation token"
)  # fmt: skip
"""Keys, or ends of keys, that are never secret: `eos token`."""

IDENTIFIER_KEY_ENDINGS = (
    "id", "ids", "uid", "uuid", "hash", "digest", "checksum", "crc", "crc32c", "sha256", "etag", "seed",
    "nano",    "ns", "offset", "bytes", "path", "file", "filename", "timestamp", "seq", "version",
    "imei", "imsi",
    "serial", "ms", "us", "pid", "tid", "pos", "position", "size", "frame", "frames",
    "count", "rev", "revision", "commit", "sha", "sha1", "md5", "snowflake", "port", "pts", "dts"
)  # fmt: skip
"""Last words of keys whose digits are an id, a hash or a position, and no card number."""
