"""What KEDA knows: its scalers, and the settings of those that are evaluated here.

Source: pkg/scaling/scalers_builder.go and pkg/scalers of https://github.com/kedacore/keda, 2.18.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bandari.units import Cpu, Memory

KNOWN_TYPES = frozenset(
    """
    activemq apache-kafka arangodb artemis-queue aws-cloudwatch aws-dynamodb aws-dynamodb-streams aws-kinesis-stream
    aws-sqs-queue azure-app-insights azure-blob azure-data-explorer azure-eventhub azure-log-analytics azure-monitor
    azure-pipelines azure-queue azure-servicebus beanstalkd cassandra couchdb cpu cron datadog dynatrace elasticsearch
    etcd external external-push forgejo-runner gcp-cloudtasks gcp-pubsub gcp-stackdriver gcp-storage github-runner
    graphite huawei-cloudeye ibmmq influxdb kafka kubernetes-resource kubernetes-workload liiklus loki memory
    metrics-api mongodb mssql mysql nats-jetstream new-relic nsq openstack-metric openstack-swift postgresql predictkube
    prometheus pulsar rabbitmq redis redis-cluster redis-cluster-streams redis-sentinel redis-sentinel-streams
    redis-streams selenium-grid solace-direct-messaging solace-event-queue solarwinds solr splunk
    splunk-observability stan sumologic temporal
    """.split()  # noqa: SIM905 - a table for people
)
_LONGEST = 64
"""Characters of a number."""
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+|\d+", re.ASCII)


def truth(text: str) -> bool:
    """A boolean as Go's strconv.ParseBool reads it; ValueError otherwise."""
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    raise ValueError(text)


def pairs(text: str) -> dict[str, str]:
    """`a=b,c=d` as KEDA reads maps; ValueError otherwise."""
    found = {}
    for pair in filter(None, text.split(",")):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise ValueError(pair)
        found[key.strip()] = value.strip()
    return found


def _any(_: str) -> str:
    return ""


def _filled(text: str) -> str:
    return "" if text.strip() else "it is empty"


def _address(text: str) -> str:
    return "" if re.fullmatch(r"https?://[^/\s]+\S*", text.strip()) else "it is no http:// or https:// address"


def _number(text: str) -> str:
    try:
        return "" if math.isfinite(float(text)) else "it is not finite"
    except ValueError:
        return "it is no number"


def _positive(text: str) -> str:
    return _number(text) or ("" if float(text) > 0 else "it must be more than 0")


def _truth(text: str) -> str:
    return "" if text in _TRUE | _FALSE else "it is not true or false"


def _pairs(text: str) -> str:
    try:
        pairs(text)
    except ValueError:
        return "it is no list of name=value, separated by commas"
    return ""


def _duration(text: str) -> str:
    return "" if _DURATION.fullmatch(text.strip()) else "it is no duration such as 5s"


def _modes(text: str) -> str:
    unknown = [mode for mode in map(str.strip, text.split(",")) if mode not in _AUTH_MODES]
    return f"{unknown[0][:_LONGEST]!r} is not one of {', '.join(_AUTH_MODES)}" if unknown else ""


def _metric(text: str) -> str:
    return "" if text in METRIC_TYPES else f"it is not one of {', '.join(METRIC_TYPES)}"


def amount(kind: str, metric: str, text: str) -> str:
    """What is wrong with the value of a cpu or memory trigger, or nothing."""
    if metric == "Utilization":
        whole = len(text) < _LONGEST and text.strip().isdecimal() and 0 < int(text) < 2**31
        return "" if whole else "a utilization is a whole number of percent, more than 0"
    try:
        value = Cpu.parse(text).millicores if kind == "cpu" else Memory.parse(text).bytes
    except ValueError:
        return f"it is no {'CPU quantity such as 500m' if kind == 'cpu' else 'size such as 512Mi'}"
    return "" if value > 0 else "it must be more than 0"


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of a trigger's metadata: `problem` says what is wrong with a text, or nothing."""

    problem: Callable[[str], str]
    meaning: str = ""
    example: str = ""
    required: bool = False


PASSED_ON = frozenset({"timeout", "authModes", "awsRegion", "identityOwner"})
"""Settings of prometheus triggers that only a cluster reads."""
METRIC_TYPES = ("Utilization", "AverageValue")
_AUTH_MODES = ("apiKey", "basic", "bearer", "custom", "oauth", "tls")
_RESOURCE: Mapping[str, Setting] = {
    "value": Setting(_filled, "percent of the request, or a quantity", "50", required=True),
    "type": Setting(_metric, "Utilization or AverageValue, where `metricType` is not given"),
    "containerName": Setting(_filled, "the container that is measured; all by default"),
}
SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "cpu": _RESOURCE,
    "memory": _RESOURCE,
    "prometheus": {
        "serverAddress": Setting(_address, "where Prometheus is", "http://prometheus:9090", required=True),
        "query": Setting(_filled, "what to ask", "sum(rate(requests_total[5m]))", required=True),
        "threshold": Setting(_positive, "the result that one replica can bear", "100", required=True),
        "activationThreshold": Setting(_number, "only a result above it wakes a group from zero"),
        "metricName": Setting(_any, "of older versions; has no effect"),
        "namespace": Setting(_any, "sent with the query"),
        "ignoreNullValues": Setting(_truth, "whether no data counts as 0; true by default"),
        "customHeaders": Setting(_pairs, "sent with the query: name=value, separated by commas"),
        "queryParameters": Setting(_pairs, "sent with the query: name=value, separated by commas"),
        "unsafeSsl": Setting(_truth, "whether any certificate will do"),
        "timeout": Setting(_duration, "of the query; on a cluster alone"),
        "authModes": Setting(_modes, "how to authenticate; on a cluster alone"),
        "cortexOrgID": Setting(_any, "of older versions: the header X-Scope-OrgID"),
        "awsRegion": Setting(_any, "of a managed Prometheus; on a cluster alone"),
        "identityOwner": Setting(_any, "of a managed Prometheus; on a cluster alone"),
    },
}
"""Trigger type -> its settings; `metricName` and `cortexOrgID` are of older versions and still found in files."""
