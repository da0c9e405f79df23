"""The blocking client against a real service, with real codecs, kills and cut connections."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import telecine
from telecine import exceptions as errors
from telecine.clients.blocking import Client
from telecine.clients.blocking_job import Job
from telecine.clients.embedded import EmbeddedServer
from telecine.request.options import Color, KeepAlive, Output, RetryPolicy
from telecine.results.values import JobState, Progress
from telecine.testing import SMALL, draw_clip, encoder_server

from tests.client.tcp_proxy import TcpProxy
from tests.eventually import eventually

FAST = Output("mp4", preset="ultrafast")
LOSSLESS = Output("mkv", codec="ffv1")
CLIP = draw_clip(frames=24, width=320, height=240)
SHORT = draw_clip()


@pytest.fixture
def client(encoder: EmbeddedServer) -> Iterator[Client]:
    with Client(encoder.address) as client:
        yield client


@pytest.fixture
def proxied(encoder: EmbeddedServer) -> Iterator[tuple[Client, TcpProxy]]:
    policy = RetryPolicy(give_up_after_seconds=30, max_backoff_seconds=0.2)
    noticing = KeepAlive(idle_timeout_seconds=2)
    with (
        TcpProxy(encoder.address) as proxy,
        Client(proxy.address, retry=policy, keep_alive=noticing, shares_memory=False) as client,
    ):
        yield client, proxy


def decoded(path: Path) -> list[bytes]:
    """The frames of an FFV1 file, as rgb24 bytes."""
    from encoder_service.worker.libav.video_file import open_video

    video = open_video(path)
    return [bytes(frame) for frame in video.frames]


# --- the usual way -------------------------------------------------------------------------------


def test_one_call_brings_checked_files_and_a_manifest(client: Client, tmp_path: Path) -> None:
    result = client.encode(SHORT, fps=16, outputs=[FAST, LOSSLESS], to=tmp_path, metadata={"seed": 7})
    assert result.job.state is JobState.SUCCEEDED
    for artifact in result.artifacts:
        assert artifact.local_path is not None
        assert hashlib.sha256(artifact.local_path.read_bytes()).hexdigest() == artifact.sha256
    assert result["mp4"].local_path == tmp_path / result["mp4"].path
    assert json.loads((tmp_path / "manifest.json").read_bytes()) == result.manifest
    assert not list(tmp_path.rglob("*.part"))


def test_frames_may_come_bit_by_bit_and_from_a_generator(client: Client) -> None:
    with client.open_job(fps="24000/1001", outputs=FAST) as job:
        job.push(SHORT[:5])
        job.push(frame for frame in SHORT[5:])
        job.finish()
        assert job.is_handed_off
        assert job.progress.acknowledged_bytes == SHORT.nbytes
        assert job.result().job.total_frames == len(SHORT)


def test_what_was_sent_is_what_comes_back(client: Client, tmp_path: Path) -> None:
    lossless = Output("mkv", codec="ffv1", quality="lossless", pixel_format="bgr0")
    floats = SHORT.astype(np.float32) / np.float32(255)
    for frames in (SHORT, list(floats)):
        result = client.encode(frames, fps=8, outputs=lossless, to=tmp_path)
        quality = result.manifest["outputs"][0]["quality"]
        assert quality["max_absolute_error"] == 0


def test_conversion_in_the_client_gives_the_same_video(client: Client) -> None:
    digests = {
        client.encode(SHORT, fps=8, outputs=FAST, **arguments)["mp4"].sha256
        for arguments in ({}, {"convert_to": "yuv420p"})
    }
    assert len(digests) == 1


def test_progress_is_reported_up_to_the_end(client: Client) -> None:
    told: list[Progress] = []
    client.encode(SHORT, fps=8, outputs=FAST, on_progress=told.append)
    assert told[-1].is_handed_off
    assert told[-1].acknowledged_bytes == told[-1].total_bytes == SHORT.nbytes
    assert any(output.output == "mp4" for output in told[-1].outputs)


def test_a_faulty_progress_callback_harms_nothing(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Progress) -> None:
        raise RuntimeError("mine")

    assert client.encode(SHORT, fps=8, outputs=FAST, on_progress=fail).artifacts
    assert caplog.text.count("the progress callback of job") == 1


def test_the_callers_array_may_be_written_over_after_push(client: Client) -> None:
    frames = SHORT.copy()
    with client.open_job(fps=8, outputs=FAST, job_id="overwritten") as job:
        job.push(frames)
        frames[...] = 0
        digest = job.result()["mp4"].sha256
    assert digest == client.encode(SHORT, fps=8, outputs=FAST)["mp4"].sha256


def test_memory_stays_within_its_bound(encoder: EmbeddedServer) -> None:
    with (
        Client(encoder.address, retained_bytes=1 << 20) as client,
        client.open_job(fps=8, outputs=FAST) as job,
    ):
        for frame in np.repeat(CLIP, 4, axis=0):
            job.push(frame)
            progress = job.progress
            assert progress.pushed_bytes - progress.acknowledged_bytes <= 1 << 20


# --- jobs and bytes ------------------------------------------------------------------------------


def test_jobs_are_listed_looked_at_waited_for_and_deleted(client: Client, tmp_path: Path) -> None:
    for index in range(3):
        client.encode(SHORT, fps=8, outputs=FAST, job_id=f"listed-{index}")
    listed = list(client.jobs(prefix="listed-", states=["succeeded"], page_size=2))
    assert [job.job_id for job in listed] == ["listed-2", "listed-1", "listed-0"]
    waited = client.wait("listed-0", to=tmp_path)
    assert waited["mp4"].local_path.exists()
    assert json.loads(client.manifest("listed-0")) == waited.manifest
    client.delete_job("listed-0")
    with pytest.raises(errors.JobNotFoundError):
        client.get_job("listed-0")


def test_an_artifact_is_downloaded_or_read(client: Client, tmp_path: Path) -> None:
    result = client.encode(SHORT, fps=8, outputs=FAST)
    path = result["mp4"].path
    saved = client.download(result.job_id, path, tmp_path / "mine.mp4")
    assert saved.local_path.read_bytes() == client.read(result.job_id, path)
    assert client.download(result.job_id, path, tmp_path).local_path == tmp_path / path
    with pytest.raises(errors.TooLargeError, match="limit_bytes=10"):
        client.read(result.job_id, path, limit_bytes=10)
    with pytest.raises(errors.ArtifactNotFoundError):
        client.download(result.job_id, "no.mp4", tmp_path / "no.mp4")


def test_a_broken_download_goes_on_where_it_was(client: Client, tmp_path: Path) -> None:
    result = client.encode(CLIP, fps=8, outputs=LOSSLESS)
    whole = client.read(result.job_id, result["mkv"].path)
    part = tmp_path / "clip.mkv.part"
    for left_over in (whole[:1000], whole, b"something else" * 100, whole + b"too much"):
        part.write_bytes(left_over)
        client.download(result.job_id, result["mkv"].path, tmp_path / "clip.mkv")
        assert (tmp_path / "clip.mkv").read_bytes() == whole
        assert not part.exists()


def test_capabilities_report_what_works(client: Client) -> None:
    capabilities = client.capabilities()
    assert {entry.format for entry in capabilities.formats if entry.is_available} >= {"mp4", "webm"}
    assert "rgb24" in capabilities.pixel_formats


# --- wrong use -----------------------------------------------------------------------------------


def test_a_wrong_spec_names_its_field_and_the_job_fails_at_once(client: Client) -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        client.encode(SHORT, fps=8, outputs="mp5")
    assert "format" in caught.value.faults[0].field
    with pytest.raises(errors.InvalidRequestError, match=r"color\.primaries"):
        client.open_job(fps=8, outputs="mp4", color=Color(primaries="bt7"))
    with pytest.raises(errors.InvalidRequestError, match="unknown arguments: sped"):
        client.open_job(fps=8, sped=7)


def test_the_same_id_with_another_spec_is_a_conflict(client: Client) -> None:
    client.encode(SHORT, fps=8, outputs=FAST, job_id="taken")
    with pytest.raises(errors.JobSpecConflictError):
        client.encode(SHORT, fps=9, outputs=FAST, job_id="taken")


def test_the_same_job_again_is_answered_from_the_first_time(client: Client) -> None:
    first = client.encode(SHORT, fps=8, outputs=FAST, job_id="again")
    again = client.encode(SHORT, fps=8, outputs=FAST, job_id="again")
    assert again["mp4"] == first["mp4"]
    assert again.job.ended_at == first.job.ended_at


def test_a_failed_output_is_an_error_that_carries_the_rest(client: Client) -> None:
    outputs = [FAST, Output("webm", name="odd", options={"maxrate": "2M"})]
    with pytest.raises((errors.JobIncompleteError, errors.InvalidRequestError)) as caught:
        client.encode(SHORT, fps=8, outputs=outputs)
    if isinstance(caught.value, errors.JobIncompleteError):
        assert caught.value.result["mp4"]
        assert client.encode(SHORT, fps=8, outputs=outputs, allow_partial=True)["mp4"]


def test_values_out_of_range_cancel_the_job_and_say_why(client: Client) -> None:
    def frames() -> Iterator[np.ndarray]:
        yield np.zeros((48, 64, 3), np.float32)
        yield np.full((48, 64, 3), np.nan, np.float32)

    job = client.open_job(fps=8, outputs=FAST, width=64, height=48, pixel_format="rgb24")
    job.push(SHORT)
    eventually(lambda: job.progress.acknowledged_bytes > 0)

    def push_nan() -> None:
        with job:
            job.push(frames())

    with pytest.raises(errors.ValueRangeError, match="NaN"):
        push_nan()
    assert client.get_job(job.job_id).state is JobState.CANCELLED


def test_clipped_samples_are_counted_in_the_result(client: Client) -> None:
    frames = np.full((2, 48, 64, 3), 1.5, np.float32)
    result = client.encode(frames, fps=8, outputs=FAST, out_of_range="clip")
    assert result.clipped_samples == frames.size


def test_cancel_ends_the_waiting_here_and_the_job_there(client: Client) -> None:
    job = client.open_job(fps=8, outputs=FAST)
    job.push(SHORT)
    caught: list[BaseException] = []

    def wait() -> None:
        try:
            job.result()
        except errors.TelecineError as error:
            caught.append(error)

    job.progress  # noqa: B018 -- may be read at any time
    eventually(lambda: job.progress.acknowledged_bytes > 0)
    job.cancel()
    waiter = threading.Thread(target=wait)
    waiter.start()
    waiter.join(20)
    assert isinstance(caught[0], errors.JobCancelledError)
    assert client.get_job(job.job_id).state is JobState.CANCELLED


def test_a_job_cancelled_by_another_is_reported_to_its_pusher(client: Client) -> None:
    job = client.open_job(fps=8, outputs=FAST)
    job.push(SHORT)
    eventually(lambda: job.progress.acknowledged_bytes > 0)
    client.cancel_job(job.job_id)
    with pytest.raises(errors.JobCancelledError):
        job.result()


def test_an_exception_in_the_block_cancels_the_job(client: Client) -> None:
    def interrupted(job: Job) -> None:
        with job:
            job.push(SHORT)
            eventually(lambda: job.progress.acknowledged_bytes > 0)
            raise KeyboardInterrupt

    job = client.open_job(fps=8, outputs=FAST)
    with pytest.raises(KeyboardInterrupt):
        interrupted(job)
    assert client.get_job(job.job_id).state is JobState.CANCELLED


def test_leaving_the_block_finishes_the_upload(client: Client) -> None:
    with client.open_job(fps=8, outputs=FAST) as job:
        job.push(SHORT)
    assert job.is_handed_off
    assert client.wait(job.job_id)["mp4"]


def test_a_finish_without_frames_is_refused(client: Client) -> None:
    with pytest.raises(errors.InvalidFramesError, match="no frame was pushed"):
        client.open_job(fps=8).finish()
    with pytest.raises(errors.InvalidFramesError, match="no frame was pushed"):
        client.encode([], fps=8)


def test_frames_after_finish_are_refused(client: Client) -> None:
    with client.open_job(fps=8, outputs=FAST) as job:
        job.push(SHORT)
        job.finish()
        with pytest.raises(errors.OutOfOrderError):
            job.push(SHORT)


def test_a_timeout_leaves_the_job_as_it_is(client: Client) -> None:
    with client.open_job(fps=8, outputs=FAST, width=64, height=48, pixel_format="rgb24") as job:
        job.push(SHORT)
        with pytest.raises(errors.TimedOutError):
            job.result(timeout_seconds=0.0)
        assert job.result().artifacts


def test_a_client_is_of_no_use_after_a_fork(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(errors.OutOfOrderError, match="fork"):
        client.open_job(fps=8)


def test_a_server_that_is_not_there_is_one_clear_error() -> None:
    policy = RetryPolicy(give_up_after_seconds=0)
    with Client("127.0.0.1:1", retry=policy) as client:
        with pytest.raises(errors.UnavailableError):
            client.get_job("x")
        with pytest.raises(errors.UnavailableError):
            client.encode(SHORT, fps=8)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(errors.InvalidRequestError, match="host:port"):
        Client("localhost")


def test_a_closed_client_says_so(encoder: EmbeddedServer) -> None:
    client = Client(encoder.address, retry=RetryPolicy(give_up_after_seconds=0))
    client.close()
    client.close()
    with pytest.raises(telecine.TelecineError):
        client.capabilities()


# --- misfortune ----------------------------------------------------------------------------------


def undisturbed_digest(client: Client) -> str:
    return client.encode(CLIP, fps=8, outputs=LOSSLESS)["mkv"].sha256


def test_cut_connections_are_invisible(proxied: tuple[Client, TcpProxy], client: Client) -> None:
    cut_client, proxy = proxied
    with cut_client.open_job(fps=8, outputs=LOSSLESS) as job:
        for index, frame in enumerate(CLIP):
            if index % 6 == 0:
                proxy.cut_after_bytes = proxy.carried_bytes + 300_000
            job.push(frame)
        job.finish()
        proxy.cut()
        result = job.result()
    assert result["mkv"].sha256 == undisturbed_digest(client)


def test_a_frozen_network_is_noticed_and_overcome(proxied: tuple[Client, TcpProxy], client: Client) -> None:
    held_client, proxy = proxied
    with held_client.open_job(fps=8, outputs=LOSSLESS) as job:
        job.push(CLIP[:10])
        eventually(lambda: job.progress.acknowledged_bytes > 0)
        proxy.hold()
        job.push(CLIP[10:])
        threading.Timer(2.5, lambda: (proxy.cut(), proxy.release())).start()
        result = job.result()
    assert result["mkv"].sha256 == undisturbed_digest(client)


def test_a_cut_download_goes_on(proxied: tuple[Client, TcpProxy], tmp_path: Path) -> None:
    cut_client, proxy = proxied
    result = cut_client.encode(CLIP, fps=8, outputs=LOSSLESS)
    proxy.cut_after_bytes = proxy.carried_bytes + 10
    artifact = cut_client.download(result.job_id, result["mkv"].path, tmp_path / "a.mkv")
    assert hashlib.sha256((tmp_path / "a.mkv").read_bytes()).hexdigest() == artifact.sha256


@pytest.mark.parametrize("moment", ["receiving", "handed off"])
def test_a_killed_server_costs_only_time(moment: str, tmp_path: Path, client: Client) -> None:
    servers = [EmbeddedServer(tmp_path / "data", settings=SMALL)]
    with TcpProxy(servers[0].address) as proxy, Client(proxy.address) as cut_client:
        job = cut_client.open_job(fps=8, outputs=LOSSLESS)
        job.push(CLIP[:12])
        if moment == "receiving":
            eventually(lambda: job.progress.acknowledged_bytes > 0)
        else:
            job.push(CLIP[12:])
            job.finish()
        os.kill(servers[0].pid, signal.SIGKILL)
        eventually(lambda: not servers[0].is_running)
        servers.append(EmbeddedServer(tmp_path / "data", settings=SMALL))
        proxy.target = servers[1].address
        if moment == "receiving":
            job.push(CLIP[12:])
        digest = job.result()["mkv"].sha256
    for server in servers:
        server.close()
    assert digest == undisturbed_digest(client)


def test_a_client_that_died_is_continued_by_another(encoder: EmbeddedServer, client: Client) -> None:
    with Client(encoder.address) as first:
        job = first.open_job(fps=8, outputs=LOSSLESS, job_id="inherited")
        job.push(CLIP[:12])
        eventually(lambda: job.progress.acknowledged_bytes == CLIP[:12].nbytes)
    result = client.encode(CLIP, fps=8, outputs=LOSSLESS, job_id="inherited")
    assert result["mkv"].sha256 == undisturbed_digest(client)


def test_a_second_connection_of_a_job_takes_over(encoder: EmbeddedServer, client: Client) -> None:
    with Client(encoder.address) as other:
        older = other.open_job(fps=8, outputs=LOSSLESS, job_id="fenced")
        older.push(CLIP[:6])
        eventually(lambda: older.progress.acknowledged_bytes > 0)
        result = client.encode(CLIP, fps=8, outputs=LOSSLESS, job_id="fenced")
        with pytest.raises(errors.SupersededError):
            older.result()
    assert result["mkv"].sha256 == undisturbed_digest(client)


def test_a_full_house_is_waited_for_and_then_reported() -> None:
    size = str(SHORT.nbytes)
    settings = {"max_frame_bytes": size, "max_job_bytes": size, "spool_quota_bytes": size}
    policy = RetryPolicy(give_up_after_seconds=0.5)
    with encoder_server(settings=settings) as server, Client(server.address, retry=policy) as client:
        holder = client.open_job(fps=8, outputs=FAST, width=64, height=48, pixel_format="rgb24")
        holder.push(SHORT)
        eventually(lambda: holder.progress.acknowledged_bytes == SHORT.nbytes)
        with pytest.raises(errors.ExhaustedError) as caught:
            client.encode(SHORT, fps=8, outputs=FAST)
        assert caught.value.is_retryable
        holder.finish()
        assert holder.result().artifacts


def test_the_frame_rate_stays_exact(client: Client) -> None:
    result = client.encode(SHORT, fps=23.976, outputs=FAST)
    rate = result.manifest["outputs"][0]["readback"]["frame_rate"]
    assert (rate["numerator"], rate["denominator"]) == (24000, 1001)


def test_ctrl_c_ends_the_program_at_once_and_cancels_its_job(
    encoder: EmbeddedServer, client: Client, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import itertools, sys, telecine\n"
        "from telecine.testing import draw_clip\n"
        "client = telecine.Client(sys.argv[1])\n"
        "frames = itertools.chain([draw_clip()], iter(sys.stdin.readline, ''))\n"
        "client.encode(frames, fps=8, outputs='mkv', job_id='interrupted')\n"
    )
    command = [sys.executable, str(script), encoder.address]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def has_arrived() -> bool:
        return any(job.persisted_bytes == SHORT.nbytes for job in client.jobs(prefix="interrupted"))

    eventually(has_arrived)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=20)
    assert "KeyboardInterrupt" in said
    assert client.get_job("interrupted").state is JobState.CANCELLED
