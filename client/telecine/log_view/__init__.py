"""What every viewer of log records needs and none draws: filters, presentation, a window, live records."""
