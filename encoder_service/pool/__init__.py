"""Worker processes: forked by a zygote, one for each attempt, and spoken with over pipes."""
