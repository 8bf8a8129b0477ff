"""What KEDA knows: its scalers, and the settings of those that are evaluated here.

Source: pkg/scaling/scalers_builder.go and pkg/scalers of https://github.com/kedacore/keda, 2.18.
"""

from __future__ import annotations

import re

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
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+|\d+")


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
