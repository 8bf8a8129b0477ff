"""The market state machine of a group that may run on spot nodes. Pure: what is known in, what to do out."""
