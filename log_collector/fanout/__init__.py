"""From the journal to every sink, each at its own pace."""
