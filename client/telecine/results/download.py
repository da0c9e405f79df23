"""Takes an artifact's bytes, checks them, and puts them in place; resumable."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self

import google_crc32c

from telecine import exceptions as errors
from telecine.durable_files import write_whole
from telecine.encoder.v1 import encoder_pb2 as pb
from telecine.results.hashed_file import HashedFile
from telecine.results.reading import artifact
from telecine.results.target import expanded, means_directory
from telecine.results.values import Artifact
from telecine.sharing.local_file import is_artifact_path, pieces_of
from telecine.sharing.secret import ServerSecret

MANIFEST = "manifest.json"


def below(directory: Path, path: str) -> Path:
    """Where an artifact goes below `directory`. Raises ProtocolError for a path that would leave it."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.parts or "\\" in path or ":" in path:
        raise errors.ProtocolError(f"the artifact path {path!r} lies outside of its job")
    return directory.joinpath(*parts.parts)


def target_of(to: str | Path, path: str) -> Path:
    """The file that `to` means: itself, or below it when it is a directory (or ends with a separator).

    "~" is expanded. Raises InvalidRequestError for what is no path.
    """
    target = expanded(to)
    return below(target, path) if means_directory(to, target) else target


def place_manifest(directory: Path, manifest_json: bytes, name: str = MANIFEST) -> None:
    """Puts the manifest beside its artifacts. It comes last: a manifest that exists is true."""
    directory.mkdir(parents=True, exist_ok=True)
    write_whole(directory / name, manifest_json, is_synced=False, mode=0o666)


class Transfer:
    """The bytes of one artifact on their way into `file`, which may hold its beginning already.

    The caller closes it, before the file.
    """

    def __init__(
        self,
        job_id: str,
        path: str,
        file: BinaryIO,
        limit_bytes: int | None = None,
        host_id: str = "",
        secret: ServerSecret | None = None,
    ) -> None:
        """`host_id`: of this machine, for a server that runs on it too; empty: all bytes are sent.

        `secret`: the server's, as far as it is known; shared by a client's transfers.
        """
        self._host_id = host_id
        self._secret = secret or ServerSecret()
        self._local_path = self._proof_path = ""
        self._has_proved = False
        self._job_id, self._path = job_id, path
        self._limit_bytes = limit_bytes
        self._artifact: Artifact | None = None
        self._has_restarted = False
        self._taken = HashedFile(file)

    def request(self) -> pb.DownloadArtifactRequest:
        """The request for the bytes that are missing."""
        request = pb.DownloadArtifactRequest(
            job_id=self._job_id, path=self._path, offset=self._taken.size_bytes, host_id=self._host_id
        )
        if self._host_id:
            request.proof = self._secret.value
        return request

    def write(self, response: pb.DownloadArtifactResponse) -> bool:
        """Takes an answer; returns whether it brought bytes.

        Raises ChunkCorruptedError, ProtocolError, TooLargeError above the limit, or OSError.
        """
        if response.HasField("artifact"):
            self._artifact = artifact(response.artifact)
            if self._limit_bytes is not None and self._artifact.size_bytes > self._limit_bytes:
                raise errors.TooLargeError(
                    f"{self._path} has {self._artifact.size_bytes} bytes; download it to a file, or allow "
                    f"more than limit_bytes={self._limit_bytes}"
                )
        self._local_path, self._proof_path = response.local_path, response.proof_path
        chunk = response.chunk
        if not chunk.data:
            return False
        if chunk.offset != self._taken.size_bytes:
            raise errors.ProtocolError(
                f"the server sent byte {chunk.offset} of {self._path}, not {self._taken.size_bytes}"
            )
        data = chunk.data
        if google_crc32c.value(data) != chunk.crc32c:
            raise errors.ChunkCorruptedError(f"a piece of {self._path} was damaged on the way")
        self._taken.append(data)
        return True

    @property
    def is_at_hand(self) -> bool:
        """Whether the server has named a path on this machine: the artifact's, or that of the proof."""
        return bool(self._local_path or self._proof_path)

    def copy(self) -> bool:
        """Copies what is at hand; blocks. False: it is out of reach, and must be requested again.

        From then on bytes are requested, even if the copy turns out to be wrong; not if the server wants
        proof first, and we have it. Raises OSError where it cannot be written.
        """
        if not self._local_path:
            can_prove = not self._has_proved and self._secret.read(self._proof_path)
            self._has_proved, self._proof_path = True, ""
            self._host_id = self._host_id if can_prove else ""
            return False
        path, self._local_path, self._host_id = self._local_path, "", ""
        size_bytes = self._artifact.size_bytes if self._artifact is not None else 0
        if is_artifact_path(path, self._job_id, self._path):
            for data in pieces_of(path, self._taken.size_bytes, size_bytes):
                self._taken.append_at_once(data)
        return self._taken.size_bytes >= size_bytes

    def verified(self) -> Artifact:
        """Checks size and SHA-256.

        Raises ChecksumMismatchError, UnavailableError, ProtocolError, or OSError where it cannot be written.
        """
        found = self._artifact
        if found is None:
            raise errors.ProtocolError(f"the server sent {self._path} without its header")
        if self._taken.size_bytes < found.size_bytes:
            raise errors.UnavailableError(f"the stream of {self._path} ended early")
        if self._taken.size_bytes != found.size_bytes or self._taken.sha256() != found.sha256:
            raise errors.ChecksumMismatchError(
                f"{self._path}: size or SHA-256 differ from the server's; nothing was kept"
            )
        return found

    def after_failure(self, error: errors.TelecineError) -> None:
        """Prepares the next try: continues, or begins again if what was received cannot be right.

        Raises the error if it has begun again before: a server that is wrong stays wrong.
        """
        if isinstance(error, errors.ChecksumMismatchError | errors.WrongOffsetError):
            if self._has_restarted:
                raise error
            self._has_restarted = True
            self._taken.restart()

    def close(self) -> None:
        """Ends its thread; idempotent."""
        self._taken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
