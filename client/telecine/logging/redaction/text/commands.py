"""Finds secrets among arguments that have no telling name: `mysql -pX`, `curl -u a:X`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

from telecine.logging.redaction.rules import Trigger
from telecine.logging.redaction.text.checks import IS_MASK, is_harmless

RULE_ID = "command_line"
_REACH = 1024
"""Characters of a command that are looked at."""


class _Form(Enum):
    """How an option takes its secret."""

    ATTACHED = 1
    """`-pX`; with a blank between, what follows is something else."""
    NEXT = 2
    """`-a X`, `-a=X` or `-aX`."""
    USER_NEXT = 3
    """`-u user:X`; the user's name stays."""
    SOURCE_NEXT = 4
    """`-passin pass:X`."""


_MYSQL = {"-p": _Form.ATTACHED}
_ARCHIVER = {"-p": _Form.ATTACHED, "-hp": _Form.ATTACHED}
_MONGO = {"-p": _Form.NEXT}
_LDAP = {"-w": _Form.NEXT}
_LOGIN = {"-p": _Form.NEXT}
_USER = {
    "-u": _Form.USER_NEXT,
    "--user": _Form.USER_NEXT,
    "-U": _Form.USER_NEXT,
    "--proxy-user": _Form.USER_NEXT,
}
_AUTH = {"-a": _Form.USER_NEXT, "--auth": _Form.USER_NEXT}
_SSL = {
    "-k": _Form.NEXT,
    "-passin": _Form.SOURCE_NEXT,
    "-passout": _Form.SOURCE_NEXT,
    "-pass": _Form.SOURCE_NEXT,
}
_IPMI = {"-P": _Form.NEXT, "-p": _Form.NEXT}
_SNMP = {"-c": _Form.NEXT, "-A": _Form.NEXT, "-X": _Form.NEXT}
_RDP = {"/p:": _Form.ATTACHED, "/gp:": _Form.ATTACHED}
_BROKER = {"-P": _Form.NEXT}
_REMOTE = {"-p:": _Form.ATTACHED}
_RPC = {"--rpc-login": _Form.USER_NEXT, "--daemon-login": _Form.USER_NEXT}
_MINER = {"-p": _Form.NEXT, "-O": _Form.USER_NEXT, "--userpass": _Form.USER_NEXT}
_PROGRAMS: dict[str, dict[str, _Form]] = {
    **dict.fromkeys(
        ("mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlslap", "mysqlsh",
         "mariadb", "mariadb-dump", "mariadb-admin", "mariadb-backup", "mydumper", "xtrabackup"), _MYSQL
    ),
    **dict.fromkeys(("7z", "7za", "7zz", "7zr", "rar", "unrar"), _ARCHIVER),
    **dict.fromkeys(("mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"), _MONGO),
    **dict.fromkeys(("ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami", "ldappasswd"), _LDAP),
    **{key: {"-P": _Form.NEXT} for key in ("sqlcmd", "bcp", "osql", "isql", "zip", "unzip", "lftp")},
    **dict.fromkeys(("curl", "wget2", "lftp"), _USER),
    **dict.fromkeys(("http", "https", "xh", "xhs"), _AUTH),
    **dict.fromkeys(("ipmitool", "ipmipower", "ipmi-sensors", "ipmi-chassis", "ipmiconsole"), _IPMI),
    "bmcdiscover": {"-p": _Form.NEXT, "-n": _Form.NEXT},
    **dict.fromkeys(("snmpwalk", "snmpget", "snmpset", "snmpbulkwalk", "snmpgetnext", "snmptable"), _SNMP),
    **dict.fromkeys(("xfreerdp", "xfreerdp3", "wlfreerdp", "freerdp"), _RDP),
    **dict.fromkeys(("monerod", "monero-wallet-rpc", "monero-wallet-cli"), _RPC),
    **dict.fromkeys(("xmrig", "cpuminer", "minerd"), _MINER),
    **dict.fromkeys(("etcdctl",), _USER),
    **dict.fromkeys(("mosquitto_pub", "mosquitto_sub", "mosquitto_rr"), _BROKER),
    **dict.fromkeys(("cqlsh", "cypher-shell", "twine", "useradd", "usermod", "elasticsearch-users"), _LOGIN),
    "schtasks": {"/rp": _Form.NEXT},
    **dict.fromkeys(("winrm", "winrs"), _REMOTE),
    "sshpass": {"-p": _Form.NEXT},
    "redis-cli": {"-a": _Form.NEXT},
    "ab": {"-A": _Form.USER_NEXT, "-P": _Form.USER_NEXT},
    "smbclient": {"-U": _Form.USER_NEXT},
    "openssl": _SSL,
    "login": _LOGIN,
    **{key: {} for key in ("docker", "podman", "helm", "skopeo", "crane", "az", "nerdctl", "registry")},
    **{key: {} for key in ("buildah", "oras", "oc", "cf")},
}  # fmt: skip
"""What follows `login` is `docker login`, `podman login`, `helm registry login`, `az login`."""
_NAMES = "|".join(sorted(map(re.escape, set(_PROGRAMS) - {"login"}), key=len, reverse=True))
_PROGRAM_NAME = re.compile(rf"(?:{_NAMES})(?:\.exe)?(?=\s|[\"'],?[\s\"'])")
_PROGRAM = re.compile(rf"(?<![A-Za-z0-9_.\-]){_PROGRAM_NAME.pattern}")
_ARGUMENT = re.compile(
    r"[ \t,\[(]*(\\{0,8}[\"'])?((?(1)(?:(?!\1).)*|(?:-[A-Za-z]{1,2}(?:'[^'\\\s]*'|\"[^\"\\\s]*\")"
    r"|[^\s\"'\\|;&]+)))(?(1)(?:\1|$))",
    re.ASCII,
)
_NAME_ENDS = re.compile(r"\\{0,8}[\"'](?=[ ]?,)")
"""The quote behind a program's name in a list of arguments: `['docker', …`."""
_REAL_OPTION = re.compile(r"-{1,2}[A-Za-z]")
_DIRECTORY = re.compile(r"/[a-z]{2,16}(?:/[A-Za-z0-9_.-]{0,64}){0,8}")
_SHORT = 2


class NamedArgument(NamedTuple):
    """A secret among arguments: which one, and where in it."""

    place: int
    """Which argument it is."""
    start: int
    end: int


def secrets_in(arguments: Sequence[str]) -> Iterator[NamedArgument]:
    """The secrets among the arguments of a command, the program's name among them."""
    options: dict[str, _Form] = {}
    awaited: _Form | None = None
    is_after_program = False
    for index, argument in enumerate(arguments):
        if awaited is not None:
            wanted, awaited = awaited, None
            if (found := _found(wanted, index, argument, 0)) is not None:
                yield found
            continue
        own = _PROGRAMS.get(argument.rpartition("/")[2].removesuffix(".exe"))
        if own is not None and not (argument == "login" and not is_after_program):
            options = own
            is_after_program = True
            continue
        is_after_program = True
        name, form = _option_of(argument, options)
        if form is None:
            continue
        if len(argument) > len(name):
            is_joined = argument[len(name)] == "="
            if form is not _Form.ATTACHED or not is_joined:
                found = _found(form, index, argument, len(name) + is_joined)
                if found is not None:
                    yield found
        elif form is not _Form.ATTACHED:
            awaited = form


def _option_of(argument: str, options: dict[str, _Form]) -> tuple[str, _Form | None]:
    if not argument.startswith("-"):
        return next(
            ((name, form) for name, form in options.items() if name[0] == "/" and argument.startswith(name)),
            ("", None),
        )
    if argument in options:
        return argument, options[argument]
    name = argument.partition("=")[0]
    if name in options:
        return name, options[name]
    for short, form in options.items():
        if (
            argument.startswith(short)
            and (len(short) == _SHORT or short in ("-hp", "-p:"))
            and argument[1] != "-"
        ):
            return short, form
    return "", None


def _found(form: _Form, index: int, argument: str, start: int) -> NamedArgument | None:
    value = argument[start:]
    if form is _Form.USER_NEXT:
        user, colon, secret = value.partition(":")
        if not colon:
            user, colon, secret = value.partition("%")
        if not colon or not user or (user.isdigit() and secret.isdigit()) or secret.startswith("//"):
            return None
        start += len(user) + 1
        value = secret
    elif form is _Form.SOURCE_NEXT:
        if not value.startswith("pass:"):
            return None
        start += 5
        value = value[5:]
    elif form is _Form.NEXT and not start and (_REAL_OPTION.match(value) or _DIRECTORY.fullmatch(value)):
        return None
    if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
        return NamedArgument(index, start + 1, len(argument) - 1) if not is_harmless(value[1:-1]) else None
    if not any(map(str.isalnum, value)) or is_harmless(value.strip("\"'")) or IS_MASK.search(value):
        return None
    return NamedArgument(index, start, len(argument))


class CommandSearch:
    """Goes through one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._looked_before = 0
        self._ready: list[tuple[int, int]] = []

    def advance(self, floor: int) -> tuple[int, int] | None:
        """The next secret that begins at `floor` or behind it."""
        while True:
            while self._ready:
                if self._ready[0][0] >= floor:
                    return self._ready[0]
                self._ready.pop(0)
            match = _PROGRAM.search(self._text, max(floor, self._looked_before))
            if match is None:
                return None
            self._ready = self._look(match.start())

    def at(self, floor: int) -> tuple[int, int] | None:
        """A secret of a command that begins right at `floor`, behind a mask."""
        if _PROGRAM_NAME.match(self._text, floor) is None:
            return None
        self._ready = self._look(floor)
        return self._ready[0] if self._ready else None

    def _look(self, start: int) -> list[tuple[int, int]]:
        text, stop = self._text, min(len(self._text), start + _REACH)
        newline = text.find("\n", start, stop)
        stop = newline if newline >= 0 else stop
        spans: list[tuple[int, int]] = []
        position = start
        while position < stop and (match := _ARGUMENT.match(text, position, stop)) is not None:
            if match.end() == position:
                break
            spans.append(match.span(2))
            position = match.end()
            if len(spans) == 1 and (closing := _NAME_ENDS.match(text, position, stop)) is not None:
                position = closing.end()
        self._looked_before = max(position, start + 1)
        arguments = [text[begin:end] for begin, end in spans]
        return [(spans[i][0] + begin, spans[i][0] + end) for i, begin, end in secrets_in(arguments)]


_DELIMITER = r"(?:\.exe)?[ \t\"',\\]{1,8}"
TRIGGERS = (
    *(
        Trigger(f"(?:{names}){_DELIMITER}", hints)
        for names, hints in (
            (
                "mysql[a-z]{0,8}|mariadb[a-z-]{0,8}|mydumper|xtrabackup",
                ("mysql", "mariadb", "mydumper", "xtrabackup"),
            ),
            ("mongo(?:sh|dump|restore|export|import)?", ("mongo",)),
            ("ldap[a-z]{3,8}|sqlcmd|bcp|osql|isql|lftp", ("ldap", "sqlcmd", "bcp", "osql", "isql", "lftp")),
            ("sshpass|redis-cli|smbclient", ("sshpass", "redis-cli", "smbclient")),
            ("ipmi[a-z-]{4,8}|bmcdiscover|snmp[a-z]{3,8}", ("ipmi", "bmcdiscover", "snmp")),
            ("(?:xfree|wlfree|free)rdp3?|monero[a-z-]{1,11}", ("freerdp", "monero")),
            (
                "etcdctl|mosquitto_[a-z]{2,3}|cqlsh|cypher-shell|twine|usermod|useradd|elasticsearch-users",
                (
                    "etcdctl",
                    "mosquitto_",
                    "cqlsh",
                    "cypher-shell",
                    "twine",
                    "usermod",
                    "useradd",
                    "elasticsearch-users",
                ),
            ),
            ("schtasks|winr[ms]", ("schtasks", "winr")),
            ("xmrig|cpuminer|minerd|openssl", ("xmrig", "cpuminer", "minerd", "openssl")),
        )
    ),
    Trigger(f"7z[arz]?{_DELIMITER}[a-z]", ("7z",)),
    Trigger(f"[ur/ \"'n]rar{_DELIMITER}[a-z]", ("rar",)),
    Trigger(f"zip{_DELIMITER}-", ("zip",)),
    Trigger(
        rf"(?:docker|podman|helm|registry|az|skopeo|crane|nerdctl|buildah|oras|oc|cf){_DELIMITER}login",
        ("login",),
    ),
    Trigger(r"-pass(?:in|out)?[ \t\"',\\=]{1,8}pass:", ("pass:",)),
    Trigger(
        r"-(?:u|U|a|A|P|-user|-proxy-user|-auth)[ \t\"',\\=]{0,8}[^\s\"'\\:%,=]{1,64}[:%][^\s\"'\\]",
        ("-u", "-a", "-p", "--user", "--proxy-user", "--auth"),
    ),
)
"""What stands in raw bytes wherever a command could bear a secret."""
