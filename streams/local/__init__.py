"""What `baton up` starts on this machine: the broker and the worker, as processes with records."""
