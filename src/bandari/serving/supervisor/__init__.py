"""The process that keeps a cluster true on this machine: it starts, probes, restarts and ends processes, holds the
listening sockets, and answers on the control socket. `core` puts the parts together; `guard` keeps it alive.
"""
