"""What a service asks of its proxy and has no meaning on this machine is said, each on its line."""

from __future__ import annotations

from bandari.analysis.lacks import ray
from bandari.analysis.lacks.here import Here
from bandari.catalog.machines import NONE
from bandari.desired.state import ProviderName
from bandari.runtimes.table import RUNTIMES
from bandari.specs.read import read
from bandari.testing.builders import host

FILE = """\
applications:
  - import_path: app:graph
compute_config: {head_node: {instance_type: m5.2xlarge, resources: {CPU: 1}}}
http_options:
  request_timeout_s: 30
  ssl_keyfile: key.pem
proxy_location: EveryNode
grpc_options:
  grpc_servicer_functions: [a.b]
"""


def test_options_that_the_gateway_decides_are_said_and_the_others_are_not() -> None:
    state, found = read(FILE, "service.yaml", target=ProviderName.LOCAL)
    assert state is not None, list(found)
    said = [point.diagnostic for point in ray.check(Here(state, host(), RUNTIMES, frozenset()), NONE)]
    lines = {finding.span.line for finding in said if finding.code == "BND788"}
    assert lines == {6, 7, 8}
    assert not any(point.blocking for point in ray.check(Here(state, host(), RUNTIMES, frozenset()), NONE))
