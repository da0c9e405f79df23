"""Every kind of secret by every way into SDK and collector: no byte that they leave behind holds one."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc.aio
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as otlp
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as otlp_grpc
from opentelemetry.proto.common.v1 import common_pb2
from telecine.logging import configure_logging, flush_logging, get_logger, shutdown_logging
from telecine.logging.redaction.text.secret_text import MASK
from telecine.logs.v1 import log_collector_service_pb2 as pb
from telecine.logs.v1 import logs_pb2

from tests.client.logging.redaction.kinds import FORMS, Planted, planted
from tests.client.logging.redaction.places import contents, leaks
from tests.log_collector.harness import batch, collector, ship, stub
from tests.log_collector.http.client import JSON, ask

_SDK_WAYS = ("sdk message", "sdk field", "sdk bound", "stdlib", "stdlib extra", "exception")
_SHIP_WAYS = ("ship field", "ship message", "ship no json")
_OTLP_WAYS = (
    "otlp attribute",
    "otlp body",
    "otlp map",
    "otlp bytes",
    "otlp list",
    "otlp resource",
    "otlp scope",
)
_HTTP_WAYS = ("http field", "http message", "http otlp attribute", "http otlp body", "http page")
"""Over HTTP: plain lines, OTLP in JSON, and the logger for browsers."""
_PAGE = "https://app.example"
_SHARE = 4
"""Of the ways that forms of one group take."""
_NOT_IN_TEXT = {"doubled key"}


def _value(text: str) -> Any:
    return json.loads(text) if text[:2] in ('{"', '["', "[[") else text


def _log_by_sdk(way: str, one: Planted) -> None:
    log = get_logger("tests")
    match way:
        case "sdk message":
            log.info(one.text)
        case "sdk field":
            log.info("m", item=_value(one.text))
        case "sdk bound":
            log.bind(item=_value(one.text)).info("m")
        case "stdlib":
            logging.getLogger("library").warning("got %s", one.text)
        case "stdlib extra":
            logging.getLogger("library").warning("got", extra={"item": _value(one.text)})
        case _:
            try:
                try:
                    raise ValueError(one.text)
                except ValueError as error:
                    raise RuntimeError("outer") from error
            except RuntimeError:
                log.exception("failed")


def _shipped(way: str, one: Planted) -> bytes:
    match way:
        case "ship field" | "http field" | "http page":
            return json.dumps({"msg": "m", "item": _value(one.text)}).encode()
        case "ship message" | "http message":
            return json.dumps({"msg": one.text}, ensure_ascii=False).encode()
        case _:
            return b"\xff " + one.text.replace("\n", "\\n").encode()


def _any(value: Any) -> common_pb2.AnyValue:
    if isinstance(value, dict):
        pairs = [common_pb2.KeyValue(key=key, value=_any(inner)) for key, inner in value.items()]
        return common_pb2.AnyValue(kvlist_value=common_pb2.KeyValueList(values=pairs))
    if isinstance(value, list):
        return common_pb2.AnyValue(array_value=common_pb2.ArrayValue(values=map(_any, value)))
    if isinstance(value, int):
        return common_pb2.AnyValue(int_value=value)
    return (
        common_pb2.AnyValue(bytes_value=value)
        if isinstance(value, bytes)
        else common_pb2.AnyValue(string_value=value)
    )


def _exported(way: str, one: Planted) -> otlp.ExportLogsServiceRequest:
    request = otlp.ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    scope = resource.scope_logs.add()
    record = scope.log_records.add()
    attribute = common_pb2.KeyValue(key="item", value=_any(_value(one.text)))
    match way.removeprefix("http "):
        case "otlp attribute":
            record.attributes.append(attribute)
        case "otlp body":
            record.body.CopyFrom(_any(one.text))
        case "otlp map":
            record.body.CopyFrom(_any({"msg": "m", "item": _value(one.text)}))
        case "otlp bytes":
            record.attributes.append(common_pb2.KeyValue(key="item", value=_any(one.text.encode())))
        case "otlp list":
            record.body.CopyFrom(_any(["a", one.text.encode(), {"item": one.text}]))
        case "otlp resource":
            for key in ("service.name", "deployment.environment.name", "host.name", "item"):
                resource.resource.attributes.append(common_pb2.KeyValue(key=key, value=_any(one.text)))
        case _:
            scope.scope.name = one.text
    return request


async def _send_all(root: Path, plans: list[tuple[str, Planted]]) -> list[dict[str, Any]]:
    settings = {"http_listen": "127.0.0.1:0", "http__origins": (_PAGE,)}
    async with collector(root / "collector", **settings) as running:
        configure_logging(
            "sdk", directory=root / "sdk", console="off", collector=running.address, bridges_stdlib=True
        )
        try:
            for way, one in plans:
                if way in _SDK_WAYS:
                    await asyncio.to_thread(_log_by_sdk, way, one)
            assert await asyncio.to_thread(flush_logging, 30)
        finally:
            await asyncio.to_thread(shutdown_logging)
        lines = [_shipped(way, one) for way, one in plans if way in _SHIP_WAYS]
        await ship(running.address, batch(1, lines, resource=_RESOURCE))
        async with grpc.aio.insecure_channel(running.address) as channel:
            exports = otlp_grpc.LogsServiceStub(channel)
            for own in _OTLP_WAYS:
                request = otlp.ExportLogsServiceRequest()
                for way, one in plans:
                    if way == own:
                        request.MergeFrom(_exported(way, one))
                await exports.Export(request)
        await _post_all(running.http, plans)
        async with stub(running.address) as client:
            stats = await client.GetStats(pb.GetStatsRequest())
        (root / "stats.txt").write_text(str(stats))
        records = running.records()
        (root / "records.txt").write_text(json.dumps(records, ensure_ascii=False))
        return records


async def _post_all(address: str, plans: list[tuple[str, Planted]]) -> None:
    lines = [_shipped(way, one) for way, one in plans if way in ("http field", "http message")]
    page = b",".join(_shipped(way, one) for way, one in plans if way == "http page")
    origin = {"origin": _PAGE, "content-type": "text/plain"}
    assert (await ask(address, "/v1/browser", b'{"records":[' + page + b"]}", origin)).status == 200
    answer = await ask(address, f"/v1/records?service={_ORIGIN}", b"\n".join(lines))
    assert answer.status == 200
    assert _ORIGIN.encode() not in answer.body
    for own in _HTTP_WAYS:
        request = otlp.ExportLogsServiceRequest()
        for way, one in plans:
            if way == own and "otlp" in way:
                request.MergeFrom(_exported(way, one))
        if request.resource_logs:
            body = json_format.MessageToJson(request).encode()
            assert (await ask(address, "/v1/logs", body, JSON)).status == 200


_ORIGIN = next(one for one in planted(77) if one.kind == "aws").text
_RESOURCE = logs_pb2.Resource(
    service=_ORIGIN, env=f"password={_ORIGIN}", host=_ORIGIN, service_version=_ORIGIN
)


def test_no_byte_that_sdk_and_collector_leave_holds_a_secret_of_any_kind_by_any_way(tmp_path: Path) -> None:
    ways = (*_SDK_WAYS, *_SHIP_WAYS, *_OTLP_WAYS, *_HTTP_WAYS)
    # What differs in its form alone takes a few of the ways, each another few: they differ in who calls.
    plans = [
        (way, one)
        for seed, way in enumerate(ways)
        for place, one in enumerate(planted(1000 + seed))
        if (one.kind not in FORMS or (place + seed) % _SHARE == 0)
        and not ("otlp" in way and one.kind in _NOT_IN_TEXT)
    ]
    root = tmp_path / "left"
    root.mkdir()
    records = asyncio.run(_send_all(root, plans))
    wanted = sum(way != "ship no json" for way, _ in plans)
    assert len([r for r in records if r.get("logger") != "telecine.logging"]) >= wanted - 2
    secrets = [(f"{one.kind} by {way}", one.needle) for way, one in plans]
    assert leaks(root, [*secrets, ("origin", _ORIGIN)]) == []
    assert MASK in (root / "records.txt").read_text()
    assert _judged(_bare(root, tmp_path / "bare")) == []
    control = tmp_path / "control"
    control.mkdir()
    (control / "texts.txt").write_text("\n".join(one.text for _, one in plans))
    rules = {finding["rule"]["id"] for finding in _judged(control)}
    assert len(rules) >= 12, "the judge finds what is there"


_JUDGE = Path(sys.executable).with_name("kingfisher")


def _judged(root: Path) -> list[dict[str, Any]]:
    """What Kingfisher finds below a directory; it asks no network."""
    command = [
        str(_JUDGE),
        "scan",
        str(root),
        "--no-validate",
        "--no-update-check",
        "--format",
        "json",
        "--no-dedup",
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode in (0, 200, 205), done.stderr.decode()
    # Behind the findings stands a summary.
    found, _ = json.JSONDecoder().raw_decode(done.stdout.decode())
    return [one for one in found["findings"] if MASK not in json.dumps(one)]


def _bare(root: Path, into: Path) -> Path:
    """The same files with all that is packed in them unpacked."""
    into.mkdir()
    for number, (path, content) in enumerate(contents(root)):
        (into / f"{number}-{path.name}.txt").write_bytes(content)
    return into


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    """The judge of the test above, judged: every form in every kind of file."""
    secret = "Xk7Qw9ZpLm"
    packed = zstandard.ZstdCompressor().compress(b"a " + secret.encode())
    (tmp_path / "plain").write_bytes(b"x" + secret.encode())
    (tmp_path / "packed").write_bytes(b"head" + packed + b"tail")
    for offset in range(3):
        (tmp_path / f"base64-{offset}").write_bytes(base64.b64encode(b"ab"[:offset] + secret.encode() + b"z"))
    found = leaks(tmp_path, [("it", secret)])
    assert {line.rsplit(" ", 1)[1] for line in found} == {
        "plain",
        "packed",
        "base64-0",
        "base64-1",
        "base64-2",
    }
