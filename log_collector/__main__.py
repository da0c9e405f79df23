"""`python -m log_collector`: the log collector as a program."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from telecine.embedding.search_path import leave_working_directory

    leave_working_directory(__file__)
    from log_collector.app import PROGRAM
    from service_host.program import run_program

    sys.exit(run_program(PROGRAM))
