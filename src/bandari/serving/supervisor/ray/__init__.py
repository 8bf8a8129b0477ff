"""Ray on this machine, the part that acts: nodes as supervised processes, jobs, services and the market."""
