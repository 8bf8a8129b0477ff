"""Ray on this machine, the pure part: what is said about it on the wire, and every decision about it."""
