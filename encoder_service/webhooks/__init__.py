"""Webhooks: notifies others over HTTP of what becomes of jobs, at least once, at no job's expense."""
