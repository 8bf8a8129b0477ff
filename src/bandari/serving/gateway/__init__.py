"""The gateway, `python -m bandari.serving.gateway`: an OpenAI-compatible proxy before the replicas of a cluster.

`program` takes the listeners that the supervisor hands over; `downstream` reads requests off a client's connection;
`exchange` is one request on its way; `directory` finds its group and holds it while none of its replicas is there;
`replica` keeps connections to one replica, `upstream` is one of them; `relay` turns a replica's answer into the
client's bytes; `link` hears from the supervisor who is there and tells it the load; `metrics` counts.
"""
