"""`python -m telecine.cli` is the `telecine` command."""

from telecine.cli import main

if __name__ == "__main__":
    main()
