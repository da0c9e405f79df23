"""Stages of a pipeline: numbered directories with a log and a manifest that is always true."""

from __future__ import annotations

from telecine.stages.errors import (
    JobDirectoryBusyError,
    StageBusyError,
    StageError,
    StageFileMissingError,
    StageIncompleteError,
    StageManifestError,
    StageNotFoundError,
    StageUsageError,
    ToolFailedError,
)
from telecine.stages.manifest import StageManifest, StageStatus, read_manifest
from telecine.stages.reports.check import Finding, FindingCode, JobCheck, check_job
from telecine.stages.reports.graph import JobGraph, dot_text, make_graph, mermaid_text
from telecine.stages.reports.profile import JobReport, make_report
from telecine.stages.reports.reading import JobStages, StageRecord, StageState, read_job
from telecine.stages.run import PipelineRun
from telecine.stages.running.logger import StageLogger
from telecine.stages.settings import Rates, StageSettings
from telecine.stages.stage import Stage
from telecine.stages.tool import run_tool

StageIO = Stage
"""The name that the stages of other pipelines know it by: changing their import is enough."""

__all__ = [
    "Finding",
    "FindingCode",
    "JobCheck",
    "JobDirectoryBusyError",
    "JobGraph",
    "JobReport",
    "JobStages",
    "PipelineRun",
    "Rates",
    "Stage",
    "StageBusyError",
    "StageError",
    "StageFileMissingError",
    "StageIO",
    "StageIncompleteError",
    "StageLogger",
    "StageManifest",
    "StageManifestError",
    "StageNotFoundError",
    "StageRecord",
    "StageSettings",
    "StageState",
    "StageStatus",
    "StageUsageError",
    "ToolFailedError",
    "check_job",
    "dot_text",
    "make_graph",
    "make_report",
    "mermaid_text",
    "read_job",
    "read_manifest",
    "run_tool",
]
