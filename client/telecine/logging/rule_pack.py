"""The rules that are in force by default, as data, each with its examples.

Examples are written in pieces, so that this file holds no string that looks like a secret.
"""

from __future__ import annotations

from telecine.logging.rules import Check, KeyRule, Position, RulePack, ValueRule

_ALNUM_40 = "a1B2c3D4e5F6g7H8i9J0" * 2
_HEX_32 = "0123456789abcdef" * 2
_UUID = "550e8400-e29b-41d4-a716-446655440000"


def _prefixed(
    rule_id: str, hints: str, pattern: str, *matches: str, spares: tuple[str, ...] = ()
) -> ValueRule:
    """A token with a telling prefix: the pattern is its own trigger."""
    return ValueRule(id=rule_id, pattern=pattern, hints=tuple(hints.split()), matches=matches, spares=spares)


_STRUCTURED = (
    ValueRule(
        id="private_key",
        hints=("private key",),
        pattern=r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?P<secret>(?s:.*?))"
        r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)",
        trigger=r"PRIVATE KEY",
        needs_left_edge=False,
        matches=(
            "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIEow" + _ALNUM_40 + "\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXk",
        ),
        spares=("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", "PRIVATE KEY not found"),
    ),
    ValueRule(
        id="bearer_token",
        hints=("bearer",),
        pattern=r"(?i:bearer)[ \t]{1,4}(?P<secret>[A-Za-z0-9\-._~+/]{8,8192}={0,2})",
        trigger=r"(?i:bearer)[ \t]{1,4}[A-Za-z0-9\-._~+/]{8}",
        check=Check.TOKEN_LIKE,
        matches=("sent Bearer " + "abc123def456ghi", "bearer " + _ALNUM_40),
        spares=("bearer authentication failed", "Bearer ***"),
    ),
    ValueRule(
        id="basic_credentials",
        hints=("basic",),
        pattern=r"(?i:basic)[ \t]{1,4}(?P<secret>[A-Za-z0-9+/]{6,4096}={0,2})",
        trigger=r"(?i:basic)[ \t]{1,4}[A-Za-z0-9+/]{6}",
        check=Check.BASIC_CREDENTIALS,
        matches=("Basic " + "dXNlcjpodW50ZXIy",),
        spares=("basic configuration loaded", "Basic authentication"),
    ),
    ValueRule(
        id="jwt",
        hints=("eyj",),
        pattern=r"(?P<secret>eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8,8192}(?:\.[A-Za-z0-9_-]{0,8192}){0,3})",
        trigger=r"eyJ[A-Za-z0-9_-]{8}",
        needs_left_edge=False,
        matches=("token eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N",),
        spares=("eyJ", "keyJournal.example.com"),
    ),
    ValueRule(
        id="url_password",
        hints=("://",),
        pattern=r"(?:://)[^\s/?#\"'<>:@]{0,128}:(?P<secret>[^\s/?#\"'<>]{1,512})@",
        trigger=r"://[^\s/?#\"'<>:@]{0,128}:[^\s/?#\"'<>]{1,512}@",
        needs_left_edge=False,
        matches=("postgres://app:" + "hunter2@db:5432/clips", "https://:" + "p4ss@host/x"),
        spares=("http://localhost:50051/path", "https://example.com/@user", "rtsp://camera@10.0.0.1:554/1"),
    ),
    ValueRule(
        id="signed_url",
        hints=("signature=", "sig=", "token=", "auth=", "key=", "code=", "credential="),
        pattern=r"[?&](?i:x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|sig|signature"
        r"|token|access_token|id_token|auth|key|code)=(?P<secret>[^&\s\"'<>#]{8,8192})",
        trigger=r"[?&](?i:x-amz-s|x-amz-credential|x-goog-signature|sig|token|access_token|id_token|auth|key|code)"
        r"[a-z-]{0,16}=",
        needs_left_edge=False,
        check=Check.TOKEN_LIKE,
        matches=(
            "https://b.s3.amazonaws.com/c.mp4?X-Amz-Signature=" + _HEX_32 * 2 + "&x=1",
            "https://acct.blob.core.windows.net/c?sv=2024&sig=" + "a1b2C3d4%2Be5F6",
        ),
        spares=("/search?key=name&page=2", "?signature=none"),
    ),
    ValueRule(
        id="card_number",
        pattern=r"(?P<secret>(?:3\d{3}|4\d{3}|5[1-5]\d{2}|6\d{3}|2[2-7]\d{2})"
        r"(?:[ -]\d{4}[ -]\d{4}[ -]\d{1,7}|[ -]\d{6}[ -]\d{5}|\d{9,15}))",
        # Behind the digits and before the groups: what rules out most of the ids in hex and the UUIDs.
        trigger=r"[\"' =(>][2-6]\d{12}(?:[^A-Za-z_/@]|$)",
        more_triggers=(
            r"(?:\\[nrt]|\n)[2-6]\d{12}",
            r"[^0-9a-fA-F\-][2-6]\d{3}[ -]\d{4}[ -]\d{4}[ -]\d",
            r"[^0-9a-fA-F\-]3\d{3}[ -]\d{6}[ -]\d{5}",
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
        ),
    ),
    ValueRule(
        id="email",
        hints=("@",),
        pattern=r"(?P<secret>[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){1,6})",
        trigger=r"[A-Za-z0-9._%+\-]@[A-Za-z0-9\-]{1,63}\.[A-Za-z]",
        is_on=False,
        matches=("sent to ada@example.com today",),
        spares=("user@localhost", "decorator @property"),
    ),
)

_CLOUD = (
    _prefixed(
        "aws_access_key_id",
        "akia asia abia acca",
        r"(?P<secret>(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})",
        "AKIA" + "IOSFODNN7EXAMPLE",
        spares=("AKIA", "AKIAlowercase0000000"),
    ),
    _prefixed("google_api_key", "aiza", r"(?P<secret>AIza[0-9A-Za-z_-]{35})", "AIza" + _ALNUM_40[:35]),
    _prefixed("google_oauth", "ya29.", r"(?P<secret>ya29\.[0-9A-Za-z_-]{20,2048})", "ya29." + _ALNUM_40),
    _prefixed(
        "google_client_secret",
        "gocspx-",
        r"(?P<secret>GOCSPX-[A-Za-z0-9_-]{20,64})",
        "GOCSPX-" + _ALNUM_40[:28],
    ),
    _prefixed("digitalocean_token", "_v1_", r"(?P<secret>do[opr]_v1_[a-f0-9]{64})", "dop_v1_" + _HEX_32 * 2),
    _prefixed(
        "vault_token", "hvs. hvb. hvr.", r"(?P<secret>hv[sbr]\.[A-Za-z0-9_-]{24,512})", "hvs." + _ALNUM_40
    ),
    _prefixed("databricks_token", "dapi", r"(?P<secret>dapi[0-9a-f]{32})", "dapi" + _HEX_32),
    _prefixed(
        "azure_client_secret",
        "q~",
        r"(?P<secret>[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})",
        "abc8Q~" + _ALNUM_40[:34],
    ),
    _prefixed(
        "age_secret_key",
        "age-secret-key-1",
        r"(?P<secret>AGE-SECRET-KEY-1[0-9A-Z]{58})",
        "AGE-SECRET-KEY-1" + "Q2W3E4R5T6" * 6,
    ),
)

_MODEL_PROVIDERS = (
    ValueRule(
        id="sk_key",
        hints=("sk-",),
        pattern=r"(?P<secret>[cp]?sk-[A-Za-z0-9_-]{20,512})",
        trigger=r"(?:[^A-Za-z0-9_]|\\[nrtfb])[cp]?sk-[A-Za-z0-9_-]{20}",
        check=Check.TOKEN_LIKE,
        matches=("sk-" + "proj-" + _ALNUM_40, "sk-" + "ant-api03-" + _ALNUM_40, "key sk-" + _ALNUM_40),
        spares=("task-0123456789abcdef0123456789", "sk-learn", "/models/disk-0123456789abcdef01234567"),
    ),
    _prefixed(
        "huggingface_token",
        "hf_ api_org_",
        r"(?P<secret>(?:hf|api_org)_[A-Za-z0-9]{30,64})",
        "hf_" + _ALNUM_40[:34],
    ),
    _prefixed("replicate_token", "r8_", r"(?P<secret>r8_[A-Za-z0-9]{35,64})", "r8_" + _ALNUM_40[:37]),
    _prefixed("groq_key", "gsk_", r"(?P<secret>gsk_[A-Za-z0-9]{40,64})", "gsk_" + _ALNUM_40 + _ALNUM_40[:12]),
    _prefixed("nvidia_key", "nvapi-", r"(?P<secret>nvapi-[A-Za-z0-9_-]{40,128})", "nvapi-" + _ALNUM_40),
    _prefixed("xai_key", "xai-", r"(?P<secret>xai-[A-Za-z0-9]{40,128})", "xai-" + _ALNUM_40),
    _prefixed("perplexity_key", "pplx-", r"(?P<secret>pplx-[A-Za-z0-9]{40,64})", "pplx-" + _ALNUM_40),
    _prefixed("elevenlabs_key", "sk_", r"(?P<secret>sk_[0-9a-f]{48})", "sk_" + _HEX_32 + _HEX_32[:16]),
    _prefixed(
        "runway_key",
        "key_",
        r"(?P<secret>key_[0-9a-f]{64,128})",
        "key_" + _HEX_32 * 4,
        spares=("key_" + _HEX_32,),
    ),
    _prefixed(
        "langsmith_key", "lsv2_", r"(?P<secret>lsv2_[ps][tk]_[A-Za-z0-9_]{32,64})", "lsv2_pt_" + _HEX_32
    ),
)

_PLATFORMS = (
    _prefixed(
        "github_token",
        "ghp_ gho_ ghu_ ghs_ ghr_",
        r"(?P<secret>gh[pousr]_[A-Za-z0-9]{36,255})",
        "ghp_" + _ALNUM_40[:36],
    ),
    _prefixed(
        "github_fine_grained",
        "github_pat_",
        r"(?P<secret>github_pat_[A-Za-z0-9_]{40,255})",
        "github_pat_" + _ALNUM_40,
    ),
    _prefixed(
        "gitlab_token",
        "glpat- gldt- glrt- glft- glcbt- glptt- glsoat-",
        r"(?P<secret>gl(?:pat|dt|rt|ft|cbt|ptt|soat)-[A-Za-z0-9_-]{20,64})",
        "glpat-" + _ALNUM_40[:20],
    ),
    _prefixed("npm_token", "npm_", r"(?P<secret>npm_[A-Za-z0-9]{36})", "npm_" + _ALNUM_40[:36]),
    _prefixed(
        "pypi_token",
        "pypi-age",
        r"(?P<secret>pypi-AgE[A-Za-z0-9_-]{50,512})",
        "pypi-AgE" + _ALNUM_40 + _ALNUM_40,
    ),
    _prefixed(
        "docker_token",
        "dckr_",
        r"(?P<secret>dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,64})",
        "dckr_pat_" + _ALNUM_40[:27],
    ),
    _prefixed(
        "slack_token",
        "xox xapp-",
        r"(?P<secret>(?:xox[abeoprs]|xapp)-[0-9A-Za-z-]{10,255})",
        "xoxb-" + "123456789012-abcDEF",
    ),
    ValueRule(
        id="slack_webhook",
        hints=("hooks.slack.com",),
        pattern=r"hooks\.slack\.com/(?:services|workflows)/(?P<secret>[A-Za-z0-9+/]{20,128})",
        trigger=r"hooks\.slack\.com/",
        needs_left_edge=False,
        matches=("https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",),
    ),
    ValueRule(
        id="discord_webhook",
        hints=("/api/webhooks/",),
        pattern=r"discord(?:app)?\.com/api/webhooks/[0-9]{15,20}/(?P<secret>[A-Za-z0-9_-]{60,80})",
        trigger=r"/api/webhooks/",
        needs_left_edge=False,
        matches=("https://discord.com/api/webhooks/" + "123456789012345678/" + _ALNUM_40 + _ALNUM_40[:28],),
    ),
    _prefixed(
        "telegram_bot", ":aa", r"(?P<secret>[0-9]{8,10}:AA[A-Za-z0-9_-]{33})", "123456789:AA" + _ALNUM_40[:33]
    ),
    _prefixed(
        "stripe_key",
        "_live_ _test_ whsec_",
        r"(?P<secret>(?:sk|rk)_(?:live|test)_[0-9A-Za-z]{10,255}|whsec_[0-9A-Za-z+/=]{16,128})",
        "sk_" + "live_" + _ALNUM_40[:24],
        "whsec_" + _ALNUM_40[:32],
        spares=("sk_test_", "risk_live_1234567890abcdef"),
    ),
    _prefixed(
        "sendgrid_key",
        "sg.",
        r"(?P<secret>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})",
        "SG." + _ALNUM_40[:22] + "." + _ALNUM_40 + "abc",
    ),
    _prefixed("shopify_token", "shp", r"(?P<secret>shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})", "shpat_" + _HEX_32),
    _prefixed(
        "square_token", "sq0", r"(?P<secret>sq0(?:atp|csp)-[0-9A-Za-z_-]{22,43})", "sq0atp-" + _ALNUM_40[:22]
    ),
    _prefixed(
        "grafana_token", "glsa_ glc_", r"(?P<secret>gl(?:sa|c)_[A-Za-z0-9+/_=]{32,255})", "glsa_" + _ALNUM_40
    ),
    _prefixed(
        "sentry_token", "sntry", r"(?P<secret>sntry[su]_[A-Za-z0-9+/_=.-]{40,512})", "sntryu_" + _HEX_32 * 2
    ),
    _prefixed(
        "supabase_token",
        "sbp_ sb_secret_",
        r"(?P<secret>sb(?:p|_secret)_[A-Za-z0-9_-]{30,64})",
        "sbp_" + _HEX_32 + "01234567",
    ),
    _prefixed("linear_key", "lin_api_", r"(?P<secret>lin_api_[A-Za-z0-9]{40})", "lin_api_" + _ALNUM_40),
    _prefixed("notion_token", "ntn_", r"(?P<secret>ntn_[A-Za-z0-9]{40,64})", "ntn_" + _ALNUM_40),
    _prefixed(
        "postman_key",
        "pmak-",
        r"(?P<secret>PMAK-[a-f0-9]{24}-[a-f0-9]{34})",
        "PMAK-" + _HEX_32[:24] + "-" + _HEX_32 + "01",
    ),
    _prefixed(
        "atlassian_token", "atatt3", r"(?P<secret>ATATT3[A-Za-z0-9_=-]{60,255})", "ATATT3" + _ALNUM_40 * 2
    ),
)

_KEYS = (
    KeyRule(
        id="password",
        phrases=("pass word", "pass wd", "pass phrase", "pass code", "pswd", "kennwort", "passwort"),
        matches=(
            "password",
            "DB_PASSWORD",
            "userPassword",
            "pass-phrase",
            "password_hash",
            "passwords",
            "PASSWORD2",
        ),
        spares=("password_length", "passwordPolicy", "passenger", "compass_word_count"),
    ),
    KeyRule(
        id="pwd",
        phrases=("pwd",),
        position=Position.LAST,
        keeps_paths=True,
        matches=("pwd", "db_pwd", "UserPwd"),
        spares=("pwd_path",),
    ),
    KeyRule(
        id="secret",
        phrases=("secret", "secret key", "secret access key"),
        matches=(
            "secret",
            "client_secret",
            "AWS_SECRET_ACCESS_KEY",
            "secretKey",
            "secrets",
            "webhook.secret",
        ),
        spares=("secret_name", "secretary", "secretArn"),
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
        matches=("token", "jwt_token", "accessToken", "X-Auth-Token", "id.token", "jwt", "refresh_tokens"),
        spares=("max_tokens", "tokens", "eos_token", "next_page_token", "token_count", "tokenizer"),
    ),
    KeyRule(
        id="one_time_code",
        phrases=("otp", "cvv", "cvc", "cvv2", "mfa code", "otp code", "auth", "ssn", "card number", "pass"),
        position=Position.WHOLE,
        matches=("otp", "CVV", "mfa_code", "auth", "card_number"),
        spares=("author", "auth_method", "passes"),
    ),
)

DEFAULT_PACK = RulePack(
    values=(*_STRUCTURED, *_CLOUD, *_MODEL_PROVIDERS, *_PLATFORMS),
    keys=_KEYS,
    spared_key_endings=(
        *(
            "id",
            "ids",
            "name",
            "names",
            "type",
            "length",
            "len",
            "size",
            "count",
            "counts",
            "policy",
            "required",
        ),
        *("enabled", "path", "paths", "file", "filename", "at", "age", "ttl", "expiry", "expires", "expired"),
        *(
            "version",
            "valid",
            "present",
            "changed",
            "url",
            "uri",
            "ref",
            "arn",
            "usage",
            "status",
            "ms",
            "seconds",
        ),
    ),
    spared_keys=(
        *(
            "page token",
            "next token",
            "continuation token",
            "sync token",
            "eos token",
            "bos token",
            "pad token",
        ),
        *("unk token", "sep token", "cls token", "mask token", "stop token", "image token", "video token"),
        *(
            "first token",
            "last token",
            "special token",
            "per token",
            "end token",
            "start token",
            "cancellation token",
        ),
    ),
    identifier_key_endings=(
        *(
            "id",
            "ids",
            "uid",
            "uuid",
            "hash",
            "digest",
            "checksum",
            "crc",
            "crc32c",
            "sha256",
            "etag",
            "seed",
        ),
        *("nano", "ns", "offset", "bytes", "path", "file", "filename", "timestamp", "seq", "version"),
    ),
)
"""What is in force unless configuration says otherwise."""
