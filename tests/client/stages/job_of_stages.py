"""A small pipeline as a job directory, for the tests of what reads it."""

from __future__ import annotations

from pathlib import Path

from telecine.stages import PipelineRun, Stage


def run_stage(job_dir: Path, name: str, reads: dict[str, str], makes: dict[str, str]) -> Stage:
    """Runs a stage that reads files (name to stage; empty: of the job) and makes files (name to content)."""
    with Stage(name, job_dir) as stage:
        for file, source in reads.items():
            stage.track_input(stage.input_path(file, from_stage=source or None), "file")
        for file, content in makes.items():
            path = stage.output_path(file)
            path.write_text(content)
            stage.track_output(path, "file")
    return stage


def make_film(job_dir: Path) -> Path:
    """demux reads a film; asr and music read its sound; translate reads asr; mux reads all of them."""
    (job_dir / "in").mkdir(parents=True, exist_ok=True)
    (job_dir / "in" / "film.mp4").write_text("film")
    with PipelineRun(job_dir):
        run_stage(job_dir, "demux", {"in/film.mp4": ""}, {"audio.wav": "sound", "video.h264": "picture"})
        run_stage(job_dir, "asr", {"audio.wav": "demux"}, {"segments.json": "[]"})
        run_stage(job_dir, "music", {"audio.wav": "demux"}, {"music.wav": "music"})
        run_stage(job_dir, "translate", {"segments.json": "asr"}, {"hi.srt": "subtitle"})
        reads = {"video.h264": "demux", "audio.wav": "demux", "music.wav": "music", "hi.srt": "translate"}
        run_stage(job_dir, "mux", reads, {"film.mkv": "all"})
    return job_dir
