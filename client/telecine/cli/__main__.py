"""`python -m telecine.cli` is the `telecine` command."""

from telecine.cli import main
from telecine.embedding.search_path import leave_working_directory

if __name__ == "__main__":
    leave_working_directory(__file__)
    main()
