"""What outlives the process: records, artifacts, and who reads them."""
