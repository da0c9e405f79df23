"""The console: a web page for jobs and logs, a client of the two services like any other."""
