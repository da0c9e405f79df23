"""Webhooks: tells others over HTTP what becomes of jobs, at least once, and never at a job's expense."""
