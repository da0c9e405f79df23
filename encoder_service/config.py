"""Every limit and choice of the encoder service, with its default, in one frozen struct."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from telecine.machine import usable_cores, usable_memory_bytes
from telecine.settings.trust import OPERATOR_ONLY

from encoder_service.evidence.facts import Confinement, SandboxMode
from encoder_service.jobs.limits import AttemptSettings, DispatchLimits, HousekeepingLimits, JobLimits
from encoder_service.options.reading import unknown_names
from encoder_service.options.table import RULES
from encoder_service.pool.settings import PoolSettings
from encoder_service.previews.config import PreviewsConfig
from encoder_service.quotas.config import Quotas
from encoder_service.rpc.settings import PublishedSettings, ServicerSettings, StreamSettings
from encoder_service.spool.ingest import IngestLimits
from encoder_service.webhooks.config import WebhooksConfig
from encoder_service.wire.limits import WireLimits
from service_host.auth.principal import DEFAULT_TENANT, TENANT_FORM
from service_host.settings.host_config import HostConfig, NotNegative, Positive

MIB = 1 << 20
GIB = 1 << 30

Count = Annotated[int, msgspec.Meta(ge=1)]
CountOrZero = Annotated[int, msgspec.Meta(ge=0)]
_Part = TypeVar("_Part", bound=msgspec.Struct)

_MESSAGE_OVERHEAD_BYTES = 1024
_KEEP_ALIVE_SECONDS = 10.0
_MIN_WORKER_MEMORY_BYTES = 128 * MIB
_ZYGOTE_DEATHS = 5
"""Under one output, before that counts as its failure: a machine without memory kills a few."""

FIXED_FIELDS = (
    "host", "data_dir", "root_tenant", "ring_bytes", "max_rings", "worker_niceness", "worker_wrapper",
    "worker_environment", "is_synced", "reload_poll_seconds",
)  # fmt: skip
"""What a running service cannot change; everything else is reloaded."""


class EncoderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of `telecine serve encoder`."""

    host: HostConfig = HostConfig(listen="127.0.0.1:50051")
    data_dir: Path = Path("telecine-data")
    """Holds `jobs/` (records), `spool/` (frames) and `artifacts/`; for one service at a time."""
    root_tenant: Annotated[str, msgspec.Meta(pattern=rf"^{TENANT_FORM}\Z")] = DEFAULT_TENANT
    """The tenant whose jobs lie in `data_dir` itself, as all of release 0.1.0 do. Jobs of each other one lie
    in `tenants/<tenant>/` of it."""

    # Receiving
    max_chunk_bytes: Annotated[int, msgspec.Meta(ge=1024)] = 2 * MIB
    """Largest `Chunk.data`; must fit into `host.max_message_bytes`."""
    max_frame_bytes: Count = 512 * MIB
    """Largest single frame."""
    max_job_bytes: Count = 16 * GIB
    """Largest video track; at most `spool_quota_bytes`."""
    spool_quota_bytes: Count = 64 * GIB
    """All spools together, space promised to declared clips included."""
    min_free_bytes: CountOrZero | None = None
    """Frames are refused with DISK_FULL before less than this is free: records and artifacts need room.
    Less than the disk has, or the service does not start. None: 256 MiB, or a sixteenth of a disk that is
    smaller than 4 GiB."""
    max_pending_bytes: Count = 8 * MIB
    """Per stream: bytes received and not yet written; the stream is not read beyond it."""
    ring_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 * GIB)] = 8 * MIB
    """Memory that each upload from a client on this machine shares with it, instead of sending through
    the connection: some milliseconds of frames. New for every upload, so more is not faster. 0: none."""
    max_rings: Count = 16
    """Uploads at a time that have such memory; the others send."""
    max_artifact_bytes: CountOrZero = 0
    """Largest file of an output; one that grows beyond it fails with ARTIFACT_TOO_LARGE. 0: no limit."""
    max_output_bytes: CountOrZero | None = None
    """All files of an output together, as they take room on the disk; beyond it the output fails with
    OUTPUT_TOO_LARGE, as does one of 64 more files than the clip has frames. 0: no bound of bytes.
    None: `spool_quota_bytes`, or, where `max_artifact_bytes` is set, twice that and 64 MiB."""
    max_waiting_jobs: Count = 1000
    """Jobs that have not ended and have no output on a worker."""
    max_outputs_per_job: Annotated[int, msgspec.Meta(ge=1, le=32)] = 32
    """Formats that one job may ask for."""
    max_clip_seconds: NotNegative = 0.0
    """Longest clip at its own frame rate; frames beyond it are refused. 0: only bytes are limited."""
    max_audio_bytes: Count = 4 * GIB
    """Largest audio track of a job; counts against `spool_quota_bytes`, as frames do."""
    max_audio_seconds: Positive = 14_400.0
    """Longest audio track of a job at its own sample rate; samples beyond it are refused."""
    max_output_pixels: Count = 8192 * 4608
    """Of one picture that an output scales its frames to; frames that were sent larger may stay as large."""
    max_overlay_pixels: Count = 64 * MIB
    """Of what one overlay is drawn on: a text with its outline and box, estimated from its spec, or an image
    at the size at which it is drawn."""
    max_drawn_pixels: Count = 256 * MIB
    """Of all overlays of one output together, each as far as it lies within the picture."""
    max_job_output_pixels: CountOrZero | None = None
    """That all outputs of a job make together; a picture counts as at least 4096. Frames beyond it are
    refused. 0: no bound. None: a pixel for each byte of `max_job_bytes` in each of `max_outputs_per_job`:
    what can be sent can be made at its own size, and what is made larger is bounded."""
    max_overlays_per_output: Annotated[int, msgspec.Meta(ge=0, le=100)] = 16
    """Texts and images that one output may draw. 0: none."""
    max_overlay_image_bytes: CountOrZero = 1 * MIB
    """Of one image of an overlay; all those of a job travel in one message (`host.max_message_bytes`)."""
    max_metadata_bytes: Annotated[int, msgspec.Meta(ge=0, le=64 * MIB)] = 1 * MIB
    """Of a job's own data for the manifest (prompt, workflow ...), keys and values together; it stays in
    memory as long as the job is kept. Must fit into `host.max_message_bytes`. 0: jobs may bring none."""
    font_directories: tuple[Path, ...] = ()
    """Text overlays may use the font files below these, besides the bundled fonts."""
    fallback_font_directories: tuple[Path, ...] = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
    """Searched, behind `font_directories`, for a font that has characters which the one asked for lacks.
    Those that do not exist are left out. Empty: no font of the system is used."""
    idle_upload_timeout_seconds: NotNegative = 600.0
    """An upload whose client says nothing for this long, not even that it is there, expires. 0: never."""
    promise_seconds: Positive = 30.0
    """Room that is promised to a declared clip is taken back when no byte has come for this long. All that is
    promised and not used is at most half of `spool_quota_bytes`."""
    retry_after_seconds: NotNegative = 2.0
    """What RetryInfo says when something is full."""

    # Encoding
    workers: CountOrZero = 0
    """Worker processes, one output each at a time. 0: one per core."""
    threads_per_worker: CountOrZero = 0
    """Codec threads of an output. 0: one per core, at most 8."""
    worker_niceness: Annotated[int, msgspec.Meta(ge=0, le=19)] = 5
    """Added to the workers' niceness, so that receiving frames comes before encoding them."""
    worker_wrapper: Annotated[tuple[str, ...], OPERATOR_ONLY] = ()
    """A command with arguments, such as numactl or prlimit, that starts the program which workers are forked
    from: that program's command line is appended. Empty: it is started directly."""
    worker_environment: Annotated[tuple[str, ...], OPERATOR_ONLY] = ()
    """Names of variables that workers get from the service's environment, for instance those of a graphics
    card's driver. Besides PATH, HOME, TMPDIR, the locale and the like they get nothing of it."""
    allowed_encoder_options: Annotated[dict[str, tuple[str, ...]], OPERATOR_ONLY] = {}
    """Encoder to options that clients may set on it besides those of docs/encoder-options.md: names such as
    "psy", or "x264-params.zones" for a key of a list. Values are not judged: some name files to write."""
    worker_sandbox: Annotated[SandboxMode, OPERATOR_ONLY] = SandboxMode.AUTO
    """"required": the service does not start where the kernel cannot hold workers to all six walls. "auto":
    they stand behind those that it has; `telecine doctor` and manifests list the others. "off": none."""
    worker_read_paths: Annotated[tuple[Path, ...], OPERATOR_ONLY] = ()
    """Files and directories that workers may read besides their job's frames, fonts and the program."""
    worker_device_paths: Annotated[tuple[Path, ...], OPERATOR_ONLY] = ()
    """Devices that workers may use, such as those of a graphics card."""
    worker_memory_bytes: CountOrZero = 8 * GIB
    """Memory of its own that an output may take before it fails with OUT_OF_MEMORY; at most three quarters of
    what the machine or the container has. At least 128 MiB, which a worker needs to start. 0: no bound."""
    max_running_jobs: CountOrZero = 0
    """Jobs with an output on a worker at the same time; the others wait. 0: as many as there are workers."""
    attempts: Count = 3
    """Tries for each output before it fails."""
    worker_start_timeout_seconds: Positive = 60.0
    """A worker that is not ready by then is killed and started again."""
    worker_start_attempts: Count = 5
    """Starts of a worker that may fail in a row before the service reports that it has no workers: it then
    takes no new jobs and is not healthy, says why in its log, and tries on, at last every 30 s."""
    worker_silence_timeout_seconds: Positive = 300.0
    """An output that has frames to work on and makes no progress this long is killed and tried again."""
    stalled_upload_seconds: Positive = 10.0
    """An output that waits this long for frames gives its worker to another one that has some."""
    max_job_seconds: NotNegative = 7200.0
    """From a job's creation to its end. 0: no limit."""

    # Keeping
    retention_seconds: NotNegative = 7 * 86400.0
    """Ended jobs are deleted this long after their end. 0: never."""
    retention_bytes: CountOrZero = 0
    """Artifacts of ended jobs together; beyond it the oldest are deleted. 0: no limit."""
    max_jobs_kept: Count = 2000
    """Ended jobs, whose records stay in memory; beyond it the oldest are deleted."""
    cleaning_interval_seconds: NotNegative = 3600.0
    """How often spools and job directories are removed that no job knows. 0: only when the service starts."""
    is_synced: bool = False
    """fsync spools before acknowledging, and records, artifacts and manifests: survives power loss."""
    quotas: Quotas = Quotas()
    """How much each tenant and each principal may have. Unset: as much as the whole service."""
    webhooks: WebhooksConfig = WebhooksConfig()
    """Who is notified about jobs over HTTP."""
    previews: PreviewsConfig = PreviewsConfig()
    """How many pictures `GetPreview` makes."""
    tells_job_directory: bool = True
    """Whether clients that proved to be the same user on the same machine learn where a job's directory lies,
    and copy their artifacts from there. Others never do."""

    reload_poll_seconds: Positive = 1.0
    """How often the configuration file is looked at; SIGHUP loads it at once."""

    @property
    def root(self) -> Path:
        """`data_dir` as an absolute path."""
        return self.data_dir.expanduser().absolute()

    @property
    def keep_alive_seconds(self) -> float:
        """How often a client with nothing to send is to say that it is there."""
        idle = self.idle_upload_timeout_seconds
        return min(_KEEP_ALIVE_SECONDS, idle / 3) if idle else _KEEP_ALIVE_SECONDS

    @property
    def most_made_pixels(self) -> int:
        """`max_job_output_pixels`, resolved."""
        if self.max_job_output_pixels is None:
            return self.max_job_bytes * self.max_outputs_per_job
        return self.max_job_output_pixels

    @property
    def most_output_bytes(self) -> int:
        """`max_output_bytes`, resolved."""
        if self.max_output_bytes is not None:
            return self.max_output_bytes
        # A sequence has its frames twice: as files, and in the archive of them.
        return 2 * self.max_artifact_bytes + 64 * MIB if self.max_artifact_bytes else self.spool_quota_bytes

    @property
    def font_paths(self) -> tuple[str, ...]:
        """`font_directories` as absolute paths."""
        return _absolute(self.font_directories)

    @property
    def worker_count(self) -> int:
        """`workers`, resolved."""
        return self.workers or usable_cores()

    @property
    def pool_settings(self) -> PoolSettings:
        """What the pool of workers is to do."""
        return PoolSettings(
            size=self.worker_count,
            start_timeout_seconds=self.worker_start_timeout_seconds,
            start_attempts=self.worker_start_attempts,
            wrapper=tuple(self.worker_wrapper),
            environment=tuple(self.worker_environment),
            niceness=self.worker_niceness,
            confinement=self.confinement,
        )

    @property
    def ingest_limits(self) -> IngestLimits:
        """How frames are taken in."""
        return _selected(self, IngestLimits)

    @property
    def job_limits(self) -> JobLimits:
        """What new jobs and their uploads are held to."""
        return JobLimits(
            max_waiting_jobs=self.max_waiting_jobs,
            max_clip_seconds=self.max_clip_seconds,
            max_audio_bytes=self.max_audio_bytes,
            max_audio_seconds=self.max_audio_seconds,
            most_made_pixels=self.most_made_pixels,
            ingest=self.ingest_limits,
            quotas=self.quotas,
        )

    @property
    def dispatch_limits(self) -> DispatchLimits:
        """When outputs run, and what their workers get to know."""
        return DispatchLimits(
            max_running_jobs=self.max_running_jobs,
            stalled_upload_seconds=self.stalled_upload_seconds,
            quotas=self.quotas,
            attempt=AttemptSettings(
                threads=self.codec_threads,
                max_artifact_bytes=self.max_artifact_bytes,
                max_output_bytes=self.most_output_bytes,
                font_directories=self.font_paths,
                fallback_font_directories=_absolute(self.fallback_font_directories),
                confinement=self.confinement,
                allowed_options=self.allowed_encoder_options,
                zygote_deaths=max(self.attempts, _ZYGOTE_DEATHS),
                silence_timeout_seconds=self.worker_silence_timeout_seconds,
            ),
        )

    @property
    def housekeeping_limits(self) -> HousekeepingLimits:
        """When time ends or deletes jobs."""
        return _selected(self, HousekeepingLimits)

    @property
    def wire_limits(self) -> WireLimits:
        """What requests may ask for."""
        return _selected(self, WireLimits)

    @property
    def servicer_settings(self) -> ServicerSettings:
        """What the rpcs need to know."""
        return ServicerSettings(
            stream=StreamSettings(
                wire=self.wire_limits,
                keep_alive_seconds=self.keep_alive_seconds,
                retry_after_seconds=self.retry_after_seconds,
                tells_job_directory=self.tells_job_directory,
            ),
            published=_selected(self, PublishedSettings),
            ring_bytes=self.ring_bytes,
            max_rings=self.max_rings,
        )

    @property
    def codec_threads(self) -> int:
        """`threads_per_worker`, resolved."""
        return self.threads_per_worker or min(usable_cores(), 8)

    @property
    def confinement(self) -> Confinement:
        """What every worker is held to."""
        memory_bytes = self.worker_memory_bytes and min(
            self.worker_memory_bytes, usable_memory_bytes() * 3 // 4
        )
        return Confinement(
            mode=self.worker_sandbox,
            read_paths=_absolute(self.worker_read_paths),
            device_paths=_absolute(self.worker_device_paths),
            memory_bytes=memory_bytes,
            # Files are looked at several times a second: this is what a look may come too late for.
            file_bytes=2 * self.max_artifact_bytes + 64 * MIB
            if self.max_artifact_bytes
            else self.spool_quota_bytes,
        )

    def find_faults(self) -> Iterator[tuple[str, str]]:
        """Yields what the fields' types cannot say."""
        if self.max_job_bytes > self.spool_quota_bytes:
            yield "max_job_bytes", f"at most spool_quota_bytes ({self.spool_quota_bytes})"
        if self.max_frame_bytes > self.max_job_bytes:
            yield "max_frame_bytes", f"at most max_job_bytes ({self.max_job_bytes})"
        room = self.host.max_message_bytes - _MESSAGE_OVERHEAD_BYTES
        if self.max_chunk_bytes > room:
            yield "max_chunk_bytes", f"at most {room}, {_MESSAGE_OVERHEAD_BYTES} below host.max_message_bytes"
        if self.max_overlay_image_bytes > room:
            yield "max_overlay_image_bytes", f"at most {room}, as max_chunk_bytes"
        if self.max_metadata_bytes > room:
            yield "max_metadata_bytes", f"at most {room}, as max_chunk_bytes"
        if 0 < self.worker_memory_bytes < _MIN_WORKER_MEMORY_BYTES:
            yield (
                "worker_memory_bytes",
                f"0 or at least {_MIN_WORKER_MEMORY_BYTES} (no worker starts with less)",
            )
        for encoder, names in self.allowed_encoder_options.items():
            if encoder not in RULES:
                yield "allowed_encoder_options", f"no encoder {encoder!r}; expected one of {', '.join(RULES)}"
            elif unknown := unknown_names(RULES[encoder], names):
                yield f"allowed_encoder_options.{encoder}", f"{unknown[0]!r} names no key of a list it has"
        named = (
            ("worker_read_paths", self.worker_read_paths),
            ("worker_device_paths", self.worker_device_paths),
        )
        missing = ((name, path) for name, paths in named for path in paths if not path.expanduser().exists())
        yield from ((name, f"{path} must exist") for name, path in missing)
        for directory in self.font_directories:
            if not directory.expanduser().is_dir():
                yield "font_directories", f"{directory} must be a directory"


def _selected(config: EncoderConfig, kind: type[_Part]) -> _Part:
    """The part's settings, each of which has the name of a field or property of the configuration."""
    return kind(**{name: getattr(config, name) for name in kind.__struct_fields__})


def _absolute(paths: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(str(path.expanduser().absolute()) for path in paths)
