"""BND3xx: values that are well formed alone and do not fit each other."""

from __future__ import annotations

from bandari.codes.code import Code

CODES = (
    Code(
        "BND301",
        "no target",
        "The key that holds `cluster` says where the cluster is to run: aws, gcp, kubernetes or local. None of them "
        "does. `local:` and `kubernetes:` without `cluster` hold options only.",
        'version: "1.3"\nlocal:\n  port: 8080\nkubernetes:\n  context: test',
        'version: "1.3"\nlocal:\n  port: 8080\n  cluster:\n    name: demo',
    ),
    Code(
        "BND302",
        "two targets",
        "Two keys hold `cluster`, and a file describes one cluster. To run a file elsewhere, use `--target local`.",
        "aws:\n  cluster: ...\nlocal:\n  cluster: ...",
        "aws:\n  cluster: ...\nlocal:\n  port: 8080",
    ),
    Code(
        "BND303",
        "a version that is not read",
        "The file is written for another version of the language than this bandari reads. Versions 1.0 to 1.3 are read "
        "without a change.",
        'version: "2.0"',
        'version: "1.3"',
    ),
    Code(
        "BND304",
        "another language",
        "The file is a KubeRay or Kubernetes manifest, a file of Ray's launcher, or holds node types with KubeRay's "
        "limits and requests. Cluster files and Ray compute configs are read; what they share with these languages is "
        "the name of a key at most.",
        "cluster_name: demo\nprovider: {type: aws}\nhead_node_type: head",
        "head_node:\n  instance_type: m5.large",
    ),
    Code(
        "BND305",
        "an unknown kind of file",
        "None of the top-level keys belongs to a cluster file. Perhaps -f names another file than was meant.",
        "services:\n  web:\n    image: nginx",
        'version: "1.3"\nlocal:\n  cluster:\n    name: demo',
    ),
    Code(
        "BND306",
        "a target key that holds nothing",
        "aws and gcp have no options that could stand beside another target, so without `cluster` they mean nothing.",
        "local:\n  cluster:\n    name: demo\naws:\n  modelGroups: []",
        "local:\n  cluster:\n    name: demo",
    ),
    Code(
        "BND307",
        "a section beside no cluster",
        "The sections (modelGroups, function, job, ...) stand in the mapping that holds `cluster`. `local:` or "
        "`kubernetes:` without `cluster` holds only options of that target.",
        "aws:\n  cluster: ...\nlocal:\n  modelGroups: ...",
        "aws:\n  cluster: ...\n  modelGroups: ...\nlocal:\n  port: 8080",
    ),
    Code(
        "BND308",
        "a minimum above its maximum",
        "No count satisfies both numbers. maxOnDemandInstances counts the baseInstances too.",
        "minNodes: 9\nmaxNodes: 4",
        "minNodes: 4\nmaxNodes: 9",
    ),
    Code(
        "BND309",
        "two groups of one name",
        "Clients ask for a group by its name, so names are unique over modelGroups and mixedModelGroups together. "
        "Names that become one as Kubernetes names (Chat, chat) count as equal.",
        "modelGroups:\n  - name: chat\nmixedModelGroups:\n  - name: chat",
        "modelGroups:\n  - name: chat\nmixedModelGroups:\n  - name: chat-large",
    ),
    Code(
        "BND310",
        "a probe without one check",
        "A Kubernetes probe checks in exactly one way: httpGet, tcpSocket, grpc or exec.",
        "readinessProbe:\n  periodSeconds: 5",
        "readinessProbe:\n  periodSeconds: 5\n  httpGet:\n    path: /health\n    port: 8000",
    ),
    Code(
        "BND311",
        "a setting of another probe",
        "Kubernetes takes a successThreshold above 1 for readiness alone, and terminationGracePeriodSeconds for "
        "liveness alone.",
        "livenessProbe:\n  successThreshold: 3",
        "livenessProbe:\n  failureThreshold: 3",
    ),
    Code(
        "BND312",
        "a variable that is set twice",
        "The environment sets one variable twice: the two contradict each other, and Kubernetes' server-side apply "
        "refuses the list.",
        "env:\n  - name: MODE\n    value: a\n  - name: MODE\n    value: b",
        "env:\n  - name: MODE\n    value: b",
    ),
    Code(
        "BND313",
        "a variable without one source",
        "A variable has a value, or a source in valueFrom: exactly one of configMapKeyRef, secretKeyRef, fieldRef and "
        "resourceFieldRef.",
        "- name: TOKEN\n  value: x\n  valueFrom:\n    secretKeyRef: {name: hub, key: token}",
        "- name: TOKEN\n  valueFrom:\n    secretKeyRef: {name: hub, key: token}",
    ),
    Code(
        "BND314",
        "two mounts in one place",
        "A path of the container takes one mount, and a mount takes subPath or subPathExpr. Kubernetes refuses both "
        "otherwise.",
        "volumeMounts:\n  - {name: a, mountPath: /data/cache}\n  - {name: b, mountPath: /data/cache}",
        "volumeMounts:\n  - {name: a, mountPath: /data/cache}\n  - {name: b, mountPath: /data/logs}",
    ),
    Code(
        "BND315",
        "a mount of a volume that is not declared",
        "`volumes` declares the volumes of the group, and the mount names none of them. `model-data`, which holds the "
        "model, is there without being declared.",
        "volumeMounts:\n  - {name: cahce, mountPath: /cache}\nvolumes:\n  - {name: cache, emptyDir: {}}",
        "volumeMounts:\n  - {name: cache, mountPath: /cache}\nvolumes:\n  - {name: cache, emptyDir: {}}",
    ),
    Code(
        "BND316",
        "a volume that is declared twice",
        "Two volumes have one name, or one has the name `model-data`, which is predefined.",
        "volumes:\n  - {name: model-data, emptyDir: {}}",
        "volumes:\n  - {name: cache, emptyDir: {}}",
    ),
    Code(
        "BND317",
        "a volume without one source",
        "A volume has exactly one source beside its name: emptyDir, hostPath, configMap, secret, "
        "persistentVolumeClaim or another of Kubernetes' kinds.",
        "volumes:\n  - name: cache",
        "volumes:\n  - name: cache\n    emptyDir: {}",
    ),
    Code(
        "BND318",
        "a model from two places",
        "A group serves one model: from a repository of the hub (hfRepoId), or from a source (a path, builtin:tiny).",
        "model:\n  hfRepoId: owner/name\n  source: ./model.gguf",
        "model:\n  source: ./model.gguf",
    ),
    Code(
        "BND319",
        "a model without weights",
        "`model` has neither hfRepoId nor source, so its other keys have no effect and the image or the command must "
        "bring the weights. Leave `model` out if that is meant.",
        "model:\n  files: ['*.gguf']",
        "model:\n  hfRepoId: owner/name\n  files: ['*.gguf']",
    ),
    Code(
        "BND320",
        "an unknown built-in model",
        "bandari brings one model, builtin:tiny: it answers within a second on any machine and talks nonsense, for "
        "trying things out and for tests.",
        "model:\n  source: builtin:small",
        "model:\n  source: builtin:tiny",
    ),
    Code(
        "BND321",
        "an unknown trigger",
        "KEDA has no scaler of this type. cpu, memory and prometheus are evaluated on every target; the other types of "
        "KEDA are passed on to a cluster.",
        "autoScaleTriggers:\n  - type: promethus",
        "autoScaleTriggers:\n  - type: prometheus",
    ),
    Code(
        "BND322",
        "a trigger without a setting that it needs",
        "prometheus needs serverAddress, query and threshold; cpu and memory need a value, and metricType (or type in "
        "metadata) to say what it means.",
        "- type: cpu\n  metadata:\n    type: Utilization",
        '- type: cpu\n  metadata:\n    type: Utilization\n    value: "50"',
    ),
    Code(
        "BND323",
        "an unknown setting of a trigger",
        "KEDA ignores settings that a scaler does not have, so a misspelt one would have no effect.",
        "- type: prometheus\n  metadata:\n    treshold: '100'",
        "- type: prometheus\n  metadata:\n    threshold: '100'",
    ),
    Code(
        "BND324",
        "a setting of a trigger that KEDA refuses",
        "The value is not what the setting takes: a number above 0, true or false, an address, a duration, a list of "
        "name=value.",
        "- type: cpu\n  metricType: Utilization\n  metadata:\n    value: 50%",
        "- type: cpu\n  metricType: Utilization\n  metadata:\n    value: '50'",
    ),
    Code(
        "BND325",
        "a number of days that CloudWatch does not take",
        "On aws logs go to CloudWatch, which keeps them for 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365 days and "
        "some longer times, and refuses other numbers.",
        "logRetentionDays: 10",
        "logRetentionDays: 14",
    ),
    Code(
        "BND326",
        "memory of a few bytes",
        "A number without a unit is bytes, as everywhere in Kubernetes. So few bytes are a forgotten unit.",
        "resourceRequest:\n  cpu: 2\n  memory: 12",
        "resourceRequest:\n  cpu: 2\n  memory: 12Gi",
    ),
    Code(
        "BND327",
        "two listeners on one port",
        "The gateway has a loopback listener for all groups and a public one for public groups. `port` and "
        "`publicPort` are theirs, so they differ, unless publicAddress is an address of its own.",
        "local:\n  port: 8000\n  publicPort: 8000",
        "local:\n  port: 8000\n  publicPort: 8443",
    ),
)
