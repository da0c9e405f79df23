"""Secrets without a name, at a place which a protocol, a program or a call gives them.

Examples are written in pieces, so that this file holds no string that looks like a secret.
"""

from __future__ import annotations

from telecine.logging.redaction.rules import Check, ValueRule

_SECRET = "a1B2c3" + "D4e5F6"
_ALNUM_20 = "a1B2c3D4e5F6g7H8i9J0"
_QUOTE = r"\\{0,8}[\"']"


def placed_rule(
    rule_id: str,
    pattern: str,
    trigger: str,
    hints: str,
    example: str,
    *,
    anchor: str = "",
    check: Check = Check.NONE,
    spares: tuple[str, ...] = (),
) -> ValueRule:
    """A rule whose pattern begins with a word that few texts have."""
    return ValueRule(
        id=rule_id,
        pattern=pattern,
        trigger=trigger,
        hints=tuple(hints.split("|")),
        anchor=anchor,
        needs_left_edge=not pattern.startswith("://"),
        check=check,
        matches=(example,),
        spares=spares,
    )


PLACED_SECRETS = (
    placed_rule(
        "vault_login",
        r"vault[ ]{1,4}login[ ]{1,4}(?:-[a-z-]{1,20}(?:=[^\s\"']{1,64})?[ ]{1,4}){0,3}"
        r"(?P<secret>[A-Za-z0-9._-]{8,256})(?![=A-Za-z0-9._-])",
        r"vault[ ]{1,4}login[ ]",
        "vault login",
        "vault login " + _SECRET,
        check=Check.TOKEN_LIKE,
        spares=("vault login successful", "vault login failed", "vault login -method=userpass username=ada1"),
    ),
    placed_rule(
        "password_manager_login",
        r"bw[ ]{1,4}(?:login"
        r"|unlock)[ ]{1,4}(?:[^\s@\"']{1,64}@[^\s\"']{1,64}[ ]{1,4})?(?P<secret>[^\s\"'\\]{8,128})",
        r"bw[ ]{1,4}(?:login|unlock)[ ]",
        "bw login|bw unlock",
        "bw login ada@example.com " + _SECRET,
        anchor=r"bw[ ]{1,4}(?:login|unlock)[ ]",
        check=Check.PASSWORD,
    ),
    placed_rule(
        "oracle_login",
        r"(?:sqlplus|sqlldr|expdp|impdp|rman)(?:[ ]{1,4}-[A-Za-z]{1,8}){0,3}[ ]{1,4}(?:target[ ])?[\"']?"
        r"[A-Za-z][A-Za-z0-9_$#]{0,30}/(?P<secret>[^\s\"'\\@/]{2,64})",
        r"(?:sqlplus|sqlldr|expdp|impdp|rman)[ ]",
        "sqlplus|sqlldr|expdp|impdp|rman",
        "sqlplus -s scott/" + _SECRET + "@orcl",
        spares=("sqlplus / as sysdba",),
    ),
    placed_rule(
        "oracle_address",
        r"jdbc:oracle:(?:thin|oci8?):[A-Za-z][A-Za-z0-9_$#]{0,30}/(?P<secret>[^\s\"'\\@]{2,64})@",
        r"jdbc:oracle:(?:thin|oci)",
        "jdbc:oracle:",
        "jdbc:oracle:thin:scott/" + _SECRET + "@db:1521:x",
        spares=("jdbc:oracle:thin:@//db:1521/x",),
    ),
    placed_rule(
        "redis_auth",
        r"AUTH(?:[ ]default)?[ ](?P<secret>[^\s\"'\\]{8,256})",
        r"AUTH[ ][a-zA-Z0-9!#$%&*+.^_~-]{7}",
        "auth",
        "AUTH " + _ALNUM_20,
        check=Check.GENERATED,
        spares=("AUTH LOGIN PLAIN CRAM-MD5", "AUTH required"),
    ),
    placed_rule(
        "redis_monitor",
        rf"AUTH{_QUOTE} (?:{_QUOTE}[A-Za-z0-9_.-]{{1,64}}{_QUOTE} )?{_QUOTE}"
        rf"(?P<secret>[^\s\"'\\()]{{4,256}}){_QUOTE}",
        r"AUTH\\{0,8}\" ",
        "auth",
        '"AUTH" "' + _SECRET + '"',
        check=Check.TOKEN_LIKE,
        spares=('"AUTH" "(redacted)"',),
    ),
    placed_rule(
        "redis_user",
        r"SETUSER[ ][^\s\"']{1,64}[ ](?:[^\s\"'\\<>]{1,32}[ ]){0,6}>(?P<secret>[^\s\"'\\]{1,128})",
        r"SETUSER[ ]",
        "setuser",
        "ACL SETUSER ada on >" + _SECRET + " ~* +@all",
    ),
    placed_rule(
        "sasl_plain",
        r"AUTH(?:ENTICATE)?[ ](?:PLAIN|LOGIN)[ ](?P<secret>[A-Za-z0-9+/]{8,512}={0,2})",
        r"AUTH(?:ENTICATE)?[ ](?:PLAIN|LOGIN)[ ][A-Za-z0-9+/]{8}",
        "plain|login",
        "AUTH PLAIN " + "AGFkYQBwYXNzd29yZDE=",
        check=Check.BASIC_CREDENTIALS,
        spares=("AUTH LOGIN PLAINTEXT", "AUTH PLAIN LOGIN CRAM-MD5"),
    ),
    placed_rule(
        "smtp_login",
        r"UGFzc3dvcmQ6(?:\\[rn]|[\s\"'<>CS:]){1,8}(?P<secret>[A-Za-z0-9+/]{4,256}={0,2})",
        r"UGFzc3dvcmQ6",
        "ugfzc3dvcmq6",
        "334 UGFzc3dvcmQ6\r\n" + "aHVudGVyMngx",
        spares=("334 UGFzc3dvcmQ6",),
    ),
    placed_rule(
        "imap_login",
        r"LOGIN[ ]\\{0,8}\"?[A-Za-z0-9._@+-]{1,64}\\{0,8}\"?[ ]\\{0,8}\"?(?P<secret>[^\s\"\\]{6,128})",
        r"LOGIN[ ]\\{0,8}\"?[A-Za-z0-9._@+-]{1,64}\\{0,8}\"?[ ]\\{0,8}\"?[^\s\"\\]{6}",
        "login",
        "a1 LOGIN ada " + _SECRET,
        check=Check.GENERATED,
        spares=("a1 LOGIN ada from 10.0.0.1", "a1 OK LOGIN completed"),
    ),
    placed_rule(
        "protocol_password",
        r"PASS[ ](?:oauth:)?(?P<secret>[^\s\"'\\]{8,128})(?=\\[rn]|[\r\n\"']|$)",
        r"PASS[ ][!-~]{8}",
        "pass",
        "331 ok\nPASS " + _SECRET,
        check=Check.GENERATED,
        spares=("PASS TestParseAddress2Port10", "PASS tests/auth.test.js", "PASS 12 of 12"),
    ),
    placed_rule(
        "nickserv",
        r"NickServ[ ]{1,2}:?(?:IDENTIFY|identify)[ ](?P<secret>[^\s\"'\\]{4,128})",
        r"NickServ[ ]{1,2}:?(?i:identify)[ ]",
        "nickserv",
        "NickServ IDENTIFY " + _SECRET,
        check=Check.TOKEN_LIKE,
    ),
    placed_rule(
        "user_command",
        r"(?:psexec(?:64)?(?:\.exe)? [^\r\n\"']{0,96}?-p|rabbitmqctl (?:add_user|change_password"
        r"|authenticate_user) [^\s\"']{1,64}"
        r"|htpasswd -[a-zA-Z]{0,6}b[a-zA-Z]{0,6}(?: [^\s\"'-][^\s\"']{0,128}){1,2}"
        r"|mosquitto_passwd -[a-z]{0,4}b[a-z]{0,4} [^\s\"']{1,128} [^\s\"']{1,64}"
        r"|wpa_passphrase [^\s\"']{1,64}|auth-user-pass [^\s\"'/.]{1,64}|net user [^\s\"'/]{1,64}"
        r"|net use [^\s\"']{1,4} (?:\\){2,8}[^\s\"']{1,128}|rootpw --plaintext"
        r"|aws configure set [a-z_.]{0,40}(?:secret|token)[a-z_]{0,16})[ ](?P<secret>[^\s\"'\\/]{4,128})",
        r"(?:psexec(?:64)?(?:\.exe)?|rabbitmqctl|htpasswd|mosquitto_passwd|wpa_passphrase"
        r"|auth-user-pass|net user|net use|rootpw --plaintext|aws configure set)[ ]",
        "psexec|rabbitmqctl|htpasswd|mosquitto_passwd|wpa_passphrase|auth-user-pass|net user"
        "|net use|rootpw|aws configure",
        "rabbitmqctl add_user ada " + _SECRET,
        check=Check.PASSWORD,
        spares=("htpasswd -v f ada", "net user ada /delete", "aws configure set region us-east-1"),
    ),
    placed_rule(
        "piped_password",
        r"echo (?:-[ne]{1,2} )?[\"']?(?P<secret>[^\s\"'\\|$`]{4,128})[\"']?[ ]?\|[ ]?"
        r"(?:sudo -S|sudo -[a-zA-Z]{0,4}S|docker login|podman login|helm registry|gh auth"
        r"|cryptsetup|gpg|kinit|passwd|su |cryptsetup)",
        r"echo (?:-[ne]{1,2} )?[\"'A-Za-z0-9!#%^&*+.,_~-]{4}",
        "echo",
        "echo " + _SECRET + " | sudo -S ls",
        spares=("echo done | sudo tee /etc/x", "echo $X | sudo -S ls"),
    ),
    placed_rule(
        "changed_password",
        r"echo (?:-[ne]{1,2} )?[\"']?[A-Za-z_][A-Za-z0-9_.-]{0,63}:"
        r"(?P<secret>[^\s\"'\\|$`]{1,128})[\"']?[ ]?\|[ ]?(?:sudo )?chpasswd",
        r"chpasswd",
        "chpasswd",
        "echo 'ada:" + _SECRET + "' | chpasswd",
        spares=("chpasswd: line 1: missing new password",),
    ),
    placed_rule(
        "credential_call",
        rf"(?:PSCredential|NetworkCredential|UsernamePasswordCredentials?|UsernamePasswordCredential|HTTPBasicAuth|BasicAuth"
        rf"|WiFi\.begin|sp_addlogin|pgp_sym_encrypt|pgp_sym_decrypt|set_basic_auth"
        rf"|setBasicAuth)[( ]\s{{0,4}}(?:{_QUOTE}[^\"'\\\s]{{0,128}}{_QUOTE}|[A-Za-z_.]{{1,64}})\s{{0,4}},"
        rf"\s{{0,4}}N?{_QUOTE}(?P<secret>[^\"'\\\s]{{4,128}}){_QUOTE}",
        r"(?:PSCredential|NetworkCredential|PasswordCredential|BasicAuth|WiFi\.begin|sp_addlogin|pgp_sym_encrypt|pgp_sym_decrypt|set_basic_auth)",
        "credential|basicauth|wifi.begin|sp_addlogin|pgp_sym_|set_basic_auth",
        'new NetworkCredential("ada", "' + _SECRET + '")',
        spares=("new NetworkCredential(user, pass)", "WiFi.begin(ssid, password)"),
    ),
    placed_rule(
        "secure_string",
        rf"ConvertTo-SecureString (?:-String )?{_QUOTE}(?P<secret>[^\"'\\$\s]{{4,256}}){_QUOTE}",
        r"ConvertTo-SecureString",
        "convertto-securestring",
        'ConvertTo-SecureString "' + _SECRET + '" -AsPlainText -Force',
        spares=("ConvertTo-SecureString $password -AsPlainText",),
    ),
    placed_rule(
        "wifi_code",
        r"WIFI:[^\s\"']{0,128}?P:(?P<secret>[^;\s\"'\\]{4,64});",
        r"WIFI:",
        "wifi:",
        "WIFI:T:WPA;S:home;P:" + _SECRET + ";;",
        spares=("WIFI:T:nopass;S:guest;;",),
    ),
    placed_rule(
        "network_device",
        r"(?:enable (?:secret|password) [0-9] "
        r"|username [^\s\"']{1,64} (?:privilege [0-9]{1,2} )?(?:secret|password) [0-9] "
        r"|snmp-server community |wpa-psk |stats auth [^\s:\"']{1,64}:)(?P<secret>[^\s\"'\\]{4,128})",
        r"(?:enable (?:secret|password) [0-9]|username [^\s\"']{1,64} (?:privilege|secret"
        r"|password) [0-9]|snmp-server community|wpa-psk|stats auth) ",
        "enable |username|snmp-server|wpa-psk|stats auth",
        "username ada password 7 " + _SECRET,
        spares=("enable secret is set", "username ada privilege 15", "snmp-server location rack 12"),
    ),
    placed_rule(
        "pre_shared_key",
        r"PSK[ ]\\{0,8}[\"'](?P<secret>[^\s\"'\\]{4,128})",
        r"PSK[ ]\\{0,8}[\"']",
        "psk",
        'ada : PSK "' + _SECRET + '"',
        spares=("WPA-PSK",),
    ),
    placed_rule(
        "identified_by",
        rf"IDENTIFIED[ ]WITH[ ][a-z0-9_]{{1,40}}[ ](?:BY|AS)[ ]{_QUOTE}(?P<secret>[^\"'\\]{{1,256}}){_QUOTE}",
        r"IDENTIFIED[ ]WITH[ ]",
        "identified with",
        "IDENTIFIED WITH mysql_native_password BY '" + _SECRET + "'",
        spares=("IDENTIFIED WITH auth_socket",),
    ),
    placed_rule(
        "code_message",
        r"(?P<secret>[0-9]{4,8})[ ]is[ ]your[ ](?:[A-Za-z-]{1,20}[ ]){0,3}(?:code|PIN|password|OTP)",
        r"[0-9]{4}[ ]is[ ]your[ ]",
        "is your",
        "482913 is your Example verification code",
        anchor=r"[0-9]{4,8}[ ]is[ ]your[ ]",
        spares=("1234 is your order number",),
    ),
    placed_rule(
        "repository_token",
        r"://(?P<secret>[A-Za-z0-9_-]{20,128})@(?:[a-z0-9.-]{0,64}\.)?(?:dev\.azure\.com|visualstudio\.com|github\.com|gitlab\.[a-z]{2,8}|bitbucket\.org)",
        r"://[A-Za-z0-9_-]{20,128}@[a-z0-9.-]{0,64}(?:azure|visualstudio|github|gitlab|bitbucket)\.",
        "@dev.azure|visualstudio|github|gitlab|bitbucket",
        "https://" + _ALNUM_20 * 5 + "@dev.azure.com/x/_git/y",
        check=Check.HAS_DIGIT,
        spares=("https://some-long-user-name-of-a-team@github.com/x/y",),
    ),
    placed_rule(
        "pragma_key",
        r"PRAGMA (?:re|hex)?key[ ]?=[ ]?\\{0,8}[\"'](?:x')?(?P<secret>[^\s\"'\\]{4,128})",
        r"PRAGMA (?:re|hex)?key",
        "pragma",
        "PRAGMA key = '" + _SECRET + "'",
    ),
    placed_rule(
        "named_iban",
        r"(?i:iban)[\"'\\ :=]{1,8}(?P<secret>[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]{4}){2,7}"
        r"(?:[ -]?[A-Za-z0-9]{1,3})?)(?![A-Za-z0-9])",
        r"(?i:iban)[\"'\\ :=]{1,8}[A-Za-z]{2}[0-9]{2}",
        "iban",
        "iban: de89" + "370400440532013000",
        anchor=r"(?i:iban)[\"'\\ :=]{1,8}[A-Za-z]{2}",
        check=Check.IBAN,
        spares=("iban: invalid", "iban: de88" + "370400440532013000"),
    ),
)
"""Passwords and tokens of commands, protocols and calls."""
