"""One limit for all processes of all hosts: departure times and connections, granted by a script in Redis."""
