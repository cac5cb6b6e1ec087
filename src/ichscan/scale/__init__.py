"""Many independent pieces of work: by the processes of this machine, or by a Ray cluster. Both do the same."""
