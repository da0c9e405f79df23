"""Secrets in what programs print and in files of devices, where a phrase of theirs stands before them.

Examples are written in pieces, so that this file holds no string that looks like a secret.
"""

from __future__ import annotations

from telecine.logging.redaction.placed_secrets import placed_rule
from telecine.logging.redaction.rules import Check

_SECRET = "a1B2c3" + "D4e5F6"
_ALNUM_40 = "a1B2c3D4e5F6g7H8i9J0" * 2
_HEX_32 = "0123456789abcdef" * 2
_BREAK = r"(?:\\{1,8}[nrt]|\s){1,8}"
"""A line end or a blank, as it is or as JSON escapes it."""
_QUOTE = r"\\{0,8}[\"']"
_INITIAL = (
    r"(?:[Ff]ollowing password|[Pp]assword for the [a-z_]{2,32} user"
    r"|[Pp]assword (?:is|was) (?:provided|generated|created|set) for"
    r"|[Pp]assword (?:guessed|cracked|recovered|found|tried|entered|typed))"
)
_GIVEN = (
    r"(?:smbpasswd -a|doveadm auth test|mc alias set|shadow\.set_password|esxcli system account"
    r"|wandb login|vastai set api-key|kadmin)[ ]"
)
_UNSEAL = r"(?:Unseal|Recovery) Key [0-9]"
_RADIUS = r"(?:tacacs|radius)(?:-server)? (?:host|key|auth-port|acct-port|timeout) "
_COOKIE = r"(?:-b|--cookie)[ =][\"'][A-Za-z0-9_.-]{1,64}="
_SIGNING = r"(?:(?:unlock|create)-keychain|security import|signtool sign|certutil) "
_ANNOTATED = (
    r"(?i:password|passwd|passphrase|secret|token|api_?key)\s?:\s?"
    r"(?:str|bytes|[Ss]tring|SecretStr|Optional)"
)
_NAMED = r"(?i:token|api key|apikey|authorization)[ ][A-Za-z0-9_-]{20}"
_BACKUP = r"(?i:backup|recovery|scratch) codes?[:= ]{1,3}[0-9]{4}"
_VALUE = r"(?P<secret>[^\s\"'\\]{6,128})"

PROGRAM_OUTPUT = (
    placed_rule(
        "initial_password",
        rf"{_INITIAL}[^\r\n\"'\\:]{{0,120}}:{_BREAK}{_VALUE}",
        _INITIAL,
        "following password|password for the|password provided for|password generated for"
        "|password created for|password set for",
        "use the following password to proceed to installation:\n\n" + _HEX_32,
        anchor=_INITIAL,
        check=Check.PASSWORD,
        spares=("the following password rules apply: length", "password for the root user: required"),
    ),
    placed_rule(
        "elastic_password",
        rf"PASSWORD [a-z_]{{2,32}} = {_VALUE}",
        r"PASSWORD [a-z_]{2,32} = ",
        "password",
        "PASSWORD elastic = " + _SECRET,
        check=Check.TOKEN_LIKE,
        spares=("PASSWORD policy = strict",),
    ),
    placed_rule(
        "given_password",
        r"(?:smbpasswd -a [^\s\"']{1,64}|doveadm auth test [^\s\"']{1,64}|mc alias set(?: [^\s\"']{1,128}){3}"
        r"|shadow\.set_password [^\s\"']{1,64}|esxcli system account [^\r\n\"']{0,80}?-p"
        r"|wandb login|vastai set api-key"
        rf"|kadmin(?: -[a-z] [^\s\"']{{1,64}}){{0,3}} -w)[ ](?:{_QUOTE})?{_VALUE}",
        _GIVEN,
        "smbpasswd|doveadm auth test|mc alias set|set_password|esxcli|wandb login|vastai|kadmin",
        "smbpasswd -a ada " + _SECRET,
        anchor=_GIVEN,
        check=Check.PASSWORD,
        spares=("wandb login --relogin", "kadmin -p ada -q listprincs"),
    ),
    placed_rule(
        "mail_login",
        r"\[[A-Za-z0-9.:-]{1,128}\]:[0-9]{2,5}[ \t]{1,4}[^\s:\"']{1,64}:(?P<secret>[^\s\"'\\]{4,128})",
        r"\]:(?:25|465|587|2525)[ \t]",
        "]:",
        "[smtp.example.com]:587 ada:" + _SECRET,
        anchor=r"\[[A-Za-z0-9.:-]{1,128}\]:[0-9]{2,5}[ \t]",
        check=Check.PASSWORD,
        spares=("[::1]:587 connected: yes", "[smtp.example.com]:587 state:open"),
    ),
    placed_rule(
        "mail_option",
        r"-u [^\s:@\"']{1,64}@[^\s:\"']{1,128}:(?P<secret>[^\s\"'\\]{6,256})",
        r"-u [^\s:@\"']{1,64}@[^\s:\"']{1,128}:",
        "-u ",
        "-u ada@example.com:" + _SECRET,
        anchor=r"-u [^\s:@\"']{1,64}@",
        check=Check.PASSWORD,
        spares=("scp -u ada@example.com:/srv/x",),
    ),
    placed_rule(
        "initial_list",
        rf"chpasswd:{_BREAK}(?:expire: ?[A-Za-z]{{2,5}}{_BREAK})?list: ?\|{_BREAK}[a-z_][a-z0-9_-]{{0,31}}:"
        r"(?P<secret>[^\s\"'\\]{3,128})",
        r"chpasswd:",
        "chpasswd:",
        "chpasswd:\n  list: |\n    root:" + _SECRET,
        spares=("chpasswd: line 1: missing new password",),
    ),
    placed_rule(
        "tried_password",
        r"login attempt \[[^/\]\s]{0,64}/(?P<secret>[^\]\s]{3,128})\]",
        r"login attempt \[",
        "login attempt",
        "login attempt [root/" + _SECRET + "] failed",
        spares=("login attempt [root] failed",),
    ),
    placed_rule(
        "sent_password",
        r"send (?:-- )?\\{0,8}\"(?P<secret>[^\s\"'\\$]{6,64})(?:\\{1,8}r|\r)\\{0,8}\"",
        r"send (?:-- )?\\{0,8}\"[^\s\"'\\$]{6,64}(?:\\{1,8}r|\r)",
        "send ",
        'send "' + _SECRET + '\\r"',
        check=Check.PASSWORD,
        spares=('send "exit\\r"', 'send "reload now\\r"'),
    ),
    placed_rule(
        "unseal_key",
        r"(?:Unseal|Recovery) Key [0-9]{1,2}:[ ]{1,4}(?P<secret>[A-Za-z0-9+/=]{40,128})",
        _UNSEAL,
        "unseal key|recovery key",
        "Unseal Key 1: " + _ALNUM_40 + "abc=",
        anchor=_UNSEAL,
        spares=("Unseal Key 1 was accepted",),
    ),
    placed_rule(
        "sentinel_password",
        rf"auth-pass [^\s\"']{{1,64}} {_VALUE}",
        r"auth-pass ",
        "auth-pass",
        "sentinel auth-pass mymaster " + _SECRET,
        check=Check.PASSWORD,
        spares=("sentinel auth-pass mymaster missing",),
    ),
    placed_rule(
        "radius_key",
        r"(?:tacacs|radius)(?:-server)?(?: host [^\s\"']{1,64})?"
        r"(?: (?:auth-port|acct-port|timeout) [0-9]{1,5}){0,3}"
        rf" key (?:[0-9] )?{_VALUE}",
        _RADIUS,
        "tacacs|radius",
        "tacacs-server key 7 " + _SECRET,
        anchor=_RADIUS,
        check=Check.PASSWORD,
        spares=("radius-server key rejected", "radius key is missing"),
    ),
    placed_rule(
        "device_secret",
        r"ENC (?P<secret>[A-Za-z0-9+/=]{16,512})",
        r"ENC [A-Za-z0-9+/]{16}",
        "enc",
        "set password ENC " + _ALNUM_40,
        check=Check.RANDOM,
        spares=("ENC finished",),
    ),
    placed_rule(
        "juniper_secret",
        r"(?P<secret>\$9\$[A-Za-z0-9./$-]{10,256})",
        r"\$9\$[A-Za-z0-9./$-]{10}",
        "$9$",
        "$9$" + _ALNUM_40[:24],
        anchor=r"\$9\$",
        check=Check.HAS_DIGIT,
        spares=("$9$",),
    ),
    placed_rule(
        "rdp_password",
        r"password 51:b:(?P<secret>[0-9A-Fa-f]{32,1024})",
        r"password 51:b:",
        "51:b:",
        "password 51:b:" + _HEX_32,
    ),
    placed_rule(
        "management_password",
        rf"password {_QUOTE}[A-Za-z ]{{2,24}}{_QUOTE} {_QUOTE}(?P<secret>[^\s\"'\\]{{4,128}}){_QUOTE}",
        r"password \\{0,8}\"[A-Za-z ]{2,24}\\{0,8}\" \\{0,8}\"",
        "password",
        'password "Auth" "' + _SECRET + '"',
        check=Check.PASSWORD,
    ),
    placed_rule(
        "digest_login",
        r"addauth digest [^\s:\"']{1,64}:(?P<secret>[^\s\"'\\]{3,128})",
        r"addauth digest ",
        "addauth",
        "addauth digest ada:" + _SECRET,
    ),
    placed_rule(
        "cookie_option",
        r"(?:-b|--cookie)[ =][\"'][A-Za-z0-9_.-]{1,64}=(?P<secret>[^\s;\"'\\]{12,512})",
        _COOKIE,
        "-b|--cookie",
        "curl -b 'session=" + _ALNUM_40 + "' https://x",
        anchor=_COOKIE,
        check=Check.GENERATED,
        spares=("curl -b 'theme=dark' https://x",),
    ),
    placed_rule(
        "labelled_value",
        r"cs[1-6]Label=(?i:password|passwd|token|secret|api[ _-]?key)[ ]cs[1-6]="
        r"(?P<secret>[^\s|\"'\\]{4,128})",
        r"Label=(?i:pass|token|secret|api)",
        "label=",
        "cs1Label=password cs1=" + _SECRET,
        anchor=r"cs[1-6]Label=",
        spares=("cs1Label=policy cs1=" + _SECRET,),
    ),
    placed_rule(
        "signing_command",
        r"(?:(?:unlock|create)-keychain -p|security import [^\r\n\"']{1,200}? -P"
        rf"|signtool sign [^\r\n\"']{{0,200}}? /p|certutil [^\r\n\"']{{0,200}}?-p) {_VALUE}",
        _SIGNING,
        "keychain|security import|signtool sign|certutil",
        "security unlock-keychain -p " + _SECRET + " login.keychain",
        anchor=_SIGNING,
        check=Check.PASSWORD,
        spares=("security import a.p12 -A", "certutil -dump a.pfx"),
    ),
    placed_rule(
        "here_string",
        r"<<<[ ]?[\"']?(?P<secret>[^\s\"'\\<>]{8,128})",
        r"<<<[ ]?[\"']?[^\s\"'\\<>]{8}",
        "<<<",
        "cryptsetup luksOpen /dev/x y <<< " + _SECRET,
        check=Check.GENERATED,
        spares=("<<<<<<< HEAD", "cat <<< done"),
    ),
    placed_rule(
        "shell_address",
        r"mysqlsh (?:--uri[ =])?[A-Za-z0-9_.%-]{1,64}:(?P<secret>[^\s@\"'\\]{1,128})@",
        r"mysqlsh ",
        "mysqlsh",
        "mysqlsh ada:" + _SECRET + "@db:3306",
        spares=("mysqlsh ada@db:3306",),
    ),
    placed_rule(
        "annotated_default",
        r"(?i:password|passwd|passphrase|secret|token|api_?key)\s?:\s?(?:str|bytes|[Ss]tring|SecretStr|Optional\[str\])"
        rf"(?:\s?\|\s?None|\?)?\s?=\s?[bru]{{0,2}}{_QUOTE}(?P<secret>[^\s\"'\\]{{6,256}}){_QUOTE}",
        _ANNOTATED,
        "password|passwd|passphrase|secret|token|api",
        "token: str = '" + _SECRET + "'",
        anchor=_ANNOTATED,
        check=Check.PASSWORD,
        spares=("token: str = 'default'", "password: str"),
    ),
    placed_rule(
        "named_in_prose",
        r"(?i:token|api key|apikey|authorization)[ ](?P<secret>[A-Za-z0-9_-]{20,256})(?![A-Za-z0-9_./:-])",
        _NAMED,
        "token|api key|apikey|authorization",
        "authorization " + _ALNUM_40 + " sent",
        anchor=_NAMED,
        check=Check.GENERATED,
        spares=("token TokenRefreshHandler2Impl was closed", "token is_valid_for_the_session"),
    ),
    placed_rule(
        "code_for_login",
        r"(?P<secret>[0-9]{4,8})[ ]as[ ]your[ ](?:[A-Za-z-]{1,20}[ ]){0,3}(?:code|PIN|password|OTP)",
        r"[0-9]{4}[ ]as[ ]your[ ]",
        "as your",
        "Use 482913 as your login code",
        anchor=r"[0-9]{4,8}[ ]as[ ]your[ ]",
        spares=("saved 1234 as your order number",),
    ),
    placed_rule(
        "backup_codes",
        r"(?i:backup|recovery|scratch) codes?[:= ]{1,3}(?P<secret>[0-9]{4,8}[- ][0-9]{4,8}"
        r"(?:[,; ]{1,2}[0-9]{4,8}[- ][0-9]{4,8}){0,19})",
        _BACKUP,
        "backup code|recovery code|scratch code",
        "backup codes: 4821-9974, 5512-9921",
        anchor=_BACKUP,
        spares=("backup codes: 10", "recovery code 4041"),
    ),
    placed_rule(
        "dumped_hash",
        r"[0-9a-fA-F]{32}:(?P<secret>[0-9a-fA-F]{32}):::",
        r"[0-9a-fA-F]{8}:::",
        ":::",
        _HEX_32 + ":" + _HEX_32 + ":::",
        anchor=r"[0-9a-fA-F]{32}:[0-9a-fA-F]{32}:::",
        spares=("a:::b",),
    ),
    placed_rule(
        "nats_address",
        r"nats://(?P<secret>[^\s/@:\"'\\]{8,128})@",
        r"nats://[^\s/@:\"']{8,128}@",
        "nats://",
        "nats://" + _SECRET + "@nats:4222",
        check=Check.PASSWORD,
        spares=("nats://producer@nats:4222",),
    ),
    placed_rule(
        "socket_protocol",
        r"base64(?:url)?\.(?:bearer\.)?authorization\.(?:k8s\.io\.)?(?P<secret>[A-Za-z0-9_-]{16,4096})",
        r"base64(?:url)?\.(?:bearer\.)?authorization\.",
        ".authorization.",
        "base64url.bearer.authorization.k8s.io." + _ALNUM_40,
    ),
)
"""Passwords and keys behind phrases of programs."""
