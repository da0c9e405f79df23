"""Writes the pages of docs/reference/ and docs/llms.txt from the code: `make docs-reference`."""
