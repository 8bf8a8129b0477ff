"""BND5xx: what this machine cannot serve of a file."""

from __future__ import annotations

from bandari.codes.code import Code

_SETTLED = " `check` and `plan` only warn; `up` refuses until it is settled."

CODES: tuple[Code, ...] = (
    Code(
        "BND501",
        "a section that this version does not serve on one machine",
        "The section is read and checked like the rest of the file, and nothing runs for it here yet: functions, "
        "jobs, the vector store, Prometheus and the receiver of traces come to one machine with later versions. "
        "Model groups are served without them. Leave the section out on this machine with --skip and its name; "
        "the file stays as it is." + _SETTLED,
        "bandari up -f cluster.yaml                  # the file has tracing: {enabled: true}",
        "bandari up -f cluster.yaml --skip tracing",
    ),
    Code(
        "BND502",
        "a GPU that this machine does not have",
        "The group asks for a GPU, and this machine has none, or fewer than it asks for. An engine that can do "
        "without one, as llama.cpp's can, serves the group on the CPU when the file says `local: {gpu: false}`: "
        "slower, but the same model. Else --stand-in tiny serves a tiny model under the group's name, so that an "
        "application can be developed against the same file." + _SETTLED,
        "modelGroups:\n  - name: chat\n    gpu:\n      enabled: true",
        "local:\n  gpu: false\n# or: bandari up --stand-in tiny",
    ),
    Code(
        "BND503",
        "an engine that is not installed",
        "On one machine an engine stands for the group's image: xllamacpp or llama-server for llama.cpp, vllm for "
        "vLLM. The one that the file or the image asks for was not found, or it does not serve images of this "
        "kind. bandari installs no engine by itself: xllamacpp comes with pip install 'bandari[local]', the "
        "others are looked for on PATH. `bandari doctor` lists what is here." + _SETTLED,
        "runtime:\n  image: vllm/vllm-openai:v0.4.2         # and no vllm on PATH",
        "pip install vllm\n# or: bandari up --stand-in tiny",
    ),
    Code(
        "BND504",
        "an image that no engine here stands for",
        "Containers are not run on one machine: an engine that is installed here serves in place of the image. "
        "For this image none is known. On Kubernetes it is taken as given; here the group may say with `local: "
        "{command}` what to start instead. $(PORT) in it is the port to listen on, $(MODEL) and $(MODEL_DIR) are "
        "the model's file and folder." + _SETTLED,
        "runtime:\n  image: registry.example.com/my-server:1.4",
        "runtime:\n  image: registry.example.com/my-server:1.4\nlocal:\n  command: [./my-server, --port, $(PORT)]",
    ),
    Code(
        "BND505",
        "a config map value that this machine does not know",
        "A variable takes its value from a config map. Config maps live in a cluster; on this machine their "
        "values stand in the file, under `local: {values}`, by the map's name and its keys. A reference that says "
        "`optional: true` is left out without a word, as Kubernetes does." + _SETTLED,
        "env:\n  - name: MODE\n    valueFrom:\n      configMapKeyRef:\n        name: settings\n        key: mode",
        "local:\n  values:\n    settings:\n      mode: fast",
    ),
    Code(
        "BND506",
        "a secret that this machine does not know",
        "A variable takes its value from a secret. Secrets live in a cluster; on this machine they stand in a "
        "YAML file of their own that `local: {secretsFile}` names: secret -> key -> value. It is read when a "
        "replica starts, its values are never stored, printed or logged. Keep it out of version control and "
        "readable for you alone (chmod 600)." + _SETTLED,
        "env:\n  - name: HF_TOKEN\n    valueFrom:\n      secretKeyRef:\n        name: hub\n        key: token",
        "local:\n  secretsFile: secrets.yaml\n# secrets.yaml:\n# hub:\n#   token: ...",
    ),
    Code(
        "BND507",
        "a volume that cannot be had on this machine",
        "The group mounts a volume that it does not declare, or one of a kind that only a cluster has, such as a "
        "claim or a config map. Here a volume is a folder: hostPath names one that exists, emptyDir is a fresh "
        "one for each replica, and model-data, the model's folder, is always there." + _SETTLED,
        "volumes:\n  - name: cache\n    persistentVolumeClaim:\n      claimName: cache",
        "volumes:\n  - name: cache\n    hostPath:\n      path: /srv/cache",
    ),
    Code(
        "BND508",
        "a field of a pod that a process does not have",
        "A variable takes its value from a field of its pod. A process on this machine has a name, a namespace, "
        "an address (127.0.0.1) and a host name, and what its group requests of CPU and memory; it has no labels, "
        "annotations, limits or service account. Give the variable a plain value, or mark the reference as "
        "optional." + _SETTLED,
        "env:\n  - name: ACCOUNT\n    valueFrom:\n      fieldRef:\n        fieldPath: spec.serviceAccountName",
        "env:\n  - name: POD\n    valueFrom:\n      fieldRef:\n        fieldPath: metadata.name",
    ),
    Code(
        "BND509",
        "a command that the engine here cannot take",
        "The group's command is that of its container. On this machine the engine takes its flags, and some of "
        "them have no meaning here: flags that download a model by themselves, paths of the image, a program that "
        "is not the engine's server. Leave the flag out, use another engine with `local: {engine}`, or give the "
        "group a command of its own for this machine with `local: {command}`." + _SETTLED,
        "runtime:\n  command: [/app/llama-server, --model-url, 'https://example.com/model.gguf']",
        "runtime:\n  command: [/app/llama-server]\nmodel:\n  hfRepoId: owner/name\n  files: ['*.Q4_K_M.gguf']",
    ),
    Code(
        "BND510",
        "a trigger that nothing here evaluates",
        "KEDA knows dozens of triggers and evaluates them on Kubernetes. One machine measures cpu, memory, "
        "requests in flight and queries to a Prometheus that it can reach; an address inside a cluster "
        "(.svc.cluster.local) is not one of those. The group is served all the same, and scales by its other "
        "triggers.",
        "autoScaleTriggers:\n  - type: kafka\n    metadata: {topic: questions, lagThreshold: '5'}",
        "autoScaleTriggers:\n  - type: kafka\n    metadata: {topic: questions, lagThreshold: '5'}\n"
        "  - type: cpu\n    metadata: {type: Utilization, value: '50'}",
    ),
    Code(
        "BND511",
        "all groups together ask for more than this machine has",
        "Requests say what a replica needs to itself. Counted with the least number of replicas of every group, "
        "they are more than the CPU or memory of this machine. Nothing is refused for this: replicas share what "
        "there is and answer more slowly, and where memory really runs out the system ends one of them. A group "
        "without resourceRequest counts as 1 CPU and 1 GiB for each replica.",
        "minInstances: 4\nresourceRequest:\n  cpu: '8'\n  memory: 16Gi",
        "minInstances: 1\nresourceRequest:\n  cpu: '4'\n  memory: 8Gi",
    ),
    Code(
        "BND512",
        "a replica needs more memory than this machine has",
        "One replica alone asks for more memory than there is. The model would be read from disk again and again, "
        "or the system would end the process. Ask for less if the request is generous, choose a smaller "
        "quantisation of the model, or let a tiny model stand in." + _SETTLED,
        "resourceRequest:\n  cpu: '8'\n  memory: 160Gi",
        "resourceRequest:\n  cpu: '8'\n  memory: 12Gi\n# or: bandari up --stand-in tiny",
    ),
    Code(
        "BND513",
        "a gRPC probe is only tried as a port",
        "Kubernetes asks a gRPC probe by the health protocol of gRPC. On one machine its port is tried instead: "
        "the replica passes as soon as it accepts connections, even while it says that it is not serving yet. "
        "Where that matters use httpGet, or exec with a program that asks.",
        "readinessProbe:\n  grpc:\n    port: 8000",
        "readinessProbe:\n  httpGet:\n    path: /health\n    port: 8000",
    ),
    Code(
        "BND514",
        "the local target needs Linux",
        "Supervision on one machine rests on what only Linux has: subreapers that keep a group's processes "
        "together, /proc to recognise them after a crash, mount namespaces for volumes. On macOS and others, "
        "check, plan and render work, and so do remote targets. Use a Linux machine, or a virtual one." + _SETTLED,
        "bandari up -f cluster.yaml --target local     # on macOS",
        "ssh linux-box bandari up -f cluster.yaml --target local",
    ),
    Code(
        "BND515",
        "mounts that cannot be bound",
        "Volumes are bound at their mount paths in a user and mount namespace of each replica, and this host "
        "allows none: many containers and hardened kernels do not. Replicas are served all the same; each "
        "volume's folder is in the variable BANDARI_MOUNT_<NAME>. Let the program read the path from there, or "
        "allow unprivileged user namespaces (on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0).",
        "volumeMounts:\n  - name: cache\n    mountPath: /cache\ncommand: [my-server, --cache, /cache]",
        "volumeMounts:\n  - name: cache\n    mountPath: /cache\ncommand: [my-server, --cache, $(BANDARI_MOUNT_CACHE)]",
    ),
    Code(
        "BND516",
        "a model that only the image has",
        "The group names neither a model nor a command, so its image would bring the model. Containers are not "
        "run on this machine, and the engine that stands for the image has nothing to serve. Name the model: a "
        "repository of the hub, or a path of this machine." + _SETTLED,
        "runtime:\n  image: ghcr.io/ggml-org/llama.cpp:server-b6123",
        "runtime:\n  image: ghcr.io/ggml-org/llama.cpp:server-b6123\nmodel:\n  hfRepoId: owner/name",
    ),
)
