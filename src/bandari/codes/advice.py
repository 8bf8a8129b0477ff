"""BND4xx: advice on a file that is valid."""

from __future__ import annotations

from bandari.codes.code import Code

_ON_CPU = "autoScaleTriggers:\n  - type: cpu\n    metadata: {type: Utilization, value: '50'}"

CODES: tuple[Code, ...] = (
    Code(
        "BND401",
        "a GPU is paid for and not used",
        "The group's machine type has a GPU, and the group does not ask for it. Without gpu.enabled the nodes get "
        "no GPU driver, a replica is given no device, and the engine computes on the CPU, often fifty times "
        "slower, at the price of the GPU machine. Ask for the GPU, with an image that is built for it "
        "(llama.cpp's have `cuda` in their tag), or choose a machine type without one.",
        "nodeType: g4dn.xlarge\nruntime:\n  image: ghcr.io/ggml-org/llama.cpp:server-b6123",
        "nodeType: g4dn.xlarge\ngpu:\n  enabled: true\nruntime:\n  image: ghcr.io/ggml-org/llama.cpp:server-cuda-b6123",
    ),
    Code(
        "BND402",
        "a GPU is asked for on machines that have none",
        "gpu.enabled makes every replica ask its node for a GPU, and the group's machine type has none. On "
        "Kubernetes such a replica stays pending, or runs on the CPU where the request is left out; either is not "
        "what was meant. Choose a machine type with a GPU, or take `gpu` out. Neuron, Gaudi and TPU devices are "
        "no GPUs.",
        "nodeType: t3a.medium\ngpu:\n  enabled: true",
        "nodeType: g4dn.xlarge\ngpu:\n  enabled: true",
    ),
    Code(
        "BND403",
        "an unknown machine type",
        "The target's cloud has no machine type of this name in the table that bandari carries. A pool of a type "
        "that does not exist stays empty, and its pods wait for ever without an error in sight. It is a warning "
        "because clouds add types faster than a table can follow. Names of the two clouds differ: g4dn.xlarge is "
        "one of AWS, g2-standard-4 one of Google Cloud. For a type of the other cloud, or a misspelt one, the "
        "finding names the nearest.",
        "nodeType: g4dn.xlagre",
        "nodeType: g4dn.xlarge",
    ),
    Code(
        "BND404",
        "a replica is larger than its nodes",
        "resourceRequest asks for more than a node of the group's machine type has, so Kubernetes can place no "
        "replica: the pods stay pending and new nodes do not help. More than the whole machine is an error. A "
        "warning is for more than Kubernetes leaves to pods: the kubelet and the system keep some CPU and a few "
        "hundred MiB for themselves, so a request of a machine's full size never fits it. Ask for less, or use a "
        "larger machine type.",
        "nodeType: t3a.medium          # 2 vCPU, 4 GiB\nresourceRequest:\n  cpu: '4'\n  memory: 2Gi",
        "nodeType: c5.2xlarge          # 8 vCPU, 16 GiB\nresourceRequest:\n  cpu: '4'\n  memory: 2Gi",
    ),
    Code(
        "BND405",
        "an image that may be another one tomorrow",
        "Tags such as `latest`, `server` or no tag at all are moved to each new build. Two replicas that were "
        "started on different days then run different code, an engine may change its flags under a group that "
        "nobody touched, and a rollback of the file brings nothing back. Use a tag that names one build, such as "
        "v0.4.2 or server-b6123, or a digest (image@sha256:...), which cannot be moved at all.",
        "image: ghcr.io/ggml-org/llama.cpp:server",
        "image: ghcr.io/ggml-org/llama.cpp:server-b6123",
    ),
    Code(
        "BND406",
        "an engine that needs a GPU in a group without one",
        "The official vLLM image is built for CUDA. Without a GPU its engine ends with an error as soon as it "
        "looks for a device, and Kubernetes starts it again and again. Give the group a GPU (gpu.enabled and a "
        "machine type that has one), or use vLLM's own CPU image, or a llama.cpp image, which is the better "
        "engine for CPUs.",
        "nodeType: c5.xlarge\nruntime:\n  image: vllm/vllm-openai:v0.4.2",
        "nodeType: g4dn.xlarge\ngpu:\n  enabled: true\nruntime:\n  image: vllm/vllm-openai:v0.4.2",
    ),
    Code(
        "BND407",
        "a CPU build in a group with a GPU",
        "llama.cpp's images name the hardware in their tag, and those without a name (`server`, `full`, `light`) "
        "are built for CPUs alone. The group asks for GPU nodes, pays for them, and its replicas never touch the "
        "device. Use the build for the GPU's maker, server-cuda for NVIDIA and server-rocm for AMD, or a machine "
        "type without a GPU.",
        "gpu:\n  enabled: true\nruntime:\n  image: ghcr.io/ggml-org/llama.cpp:server-b6123",
        "gpu:\n  enabled: true\nruntime:\n  image: ghcr.io/ggml-org/llama.cpp:server-cuda-b6123",
    ),
    Code(
        "BND408",
        "a probe that cannot pass",
        "The probe asks for a path that the group's engine does not serve. A readiness probe that never passes "
        "keeps every replica out of service; a liveness probe that never passes has healthy replicas ended and "
        "started again for ever. llama.cpp and vLLM answer on /health. Leaving the probes out is a good choice too: "
        "then each engine gets the ones that suit it.",
        "readinessProbe:\n  httpGet:\n    path: /ready\n    port: 8000",
        "readinessProbe:\n  httpGet:\n    path: /health\n    port: 8000",
    ),
    Code(
        "BND409",
        "a mount of a volume that is not declared",
        "volumeMounts names a volume that the group does not have. Kubernetes refuses a pod that mounts such a "
        "volume, so no replica would ever start. Declare it in runtime.volumes, in Kubernetes' own shape. One "
        "volume is there without declaring it: model-data, which holds the model's files.",
        "runtime:\n  volumeMounts:\n    - name: cache\n      mountPath: /cache",
        "runtime:\n  volumes:\n    - name: cache\n      emptyDir: {}\n"
        "  volumeMounts:\n    - name: cache\n      mountPath: /cache",
    ),
    Code(
        "BND410",
        "a credential in plain text",
        "A value looks like a credential, by its own form or by the name of its variable or flag. In the file it "
        "is seen by everybody who can read the file, its history, or the pod's description. Keep it in a secret "
        "and refer to it: on Kubernetes a Secret, on this machine an entry of the file that `local: "
        "{secretsFile}` names. If it was ever shared, replace it at its issuer. Plans, logs and this finding "
        "never show the value.",
        "env:\n  - name: HF_TOKEN\n    value: hf_0123456789abcdefghij",
        "env:\n  - name: HF_TOKEN\n    valueFrom:\n      secretKeyRef:\n        name: hub\n        key: token",
    ),
    Code(
        "BND411",
        "a public group behind plain HTTP",
        "A group with isPublic: true is served by the gateway's public listener, which asks for an API key and "
        "speaks plain HTTP unless it is given a certificate. Prompts, answers and the keys themselves can then be "
        "read and changed on the way. Give it a certificate with local.tls, or let a proxy that speaks TLS stand "
        "in front and bind the listener to a loopback address with local.publicAddress.",
        "local:\n  cluster:\n    name: demo\n  modelGroups:\n    - name: chat\n      isPublic: true",
        "local:\n  cluster:\n    name: demo\n  tls:\n    certificate: cert.pem\n    key: key.pem\n"
        "  modelGroups:\n    - name: chat\n      isPublic: true",
    ),
    Code(
        "BND412",
        "a trigger that watches another group",
        "The query of a Prometheus trigger names the service of another group, or of another namespace. The "
        "group's own load then changes nothing, while that of the other starts and ends its replicas: usually a "
        "query that was copied and not changed. The service of a group is GROUP.NAMESPACE.svc.cluster.local. A "
        "query over several groups is not reported when its own is among them, nor one that matches by a pattern "
        "(=~).",
        'name: summary\nquery: rate(istio_requests_total{destination_service="chat.default.svc.cluster.local"}[1m])',
        'name: summary\nquery: rate(istio_requests_total{destination_service="summary.default.svc.cluster.local"}[1m])',
    ),
    Code(
        "BND413",
        "a trigger that asks a Prometheus which is not installed",
        "A trigger asks the Prometheus that the `prometheus` section installs, and the file has no such section, "
        "or it is not enabled. A trigger without an answer decides nothing, so the group stays at its least "
        "number of replicas under any load. Enable the section, or give the address of a Prometheus that exists.",
        "autoScaleTriggers:\n  - type: prometheus\n    metadata:\n"
        "      serverAddress: http://kube-prometheus-stack-prometheus.prometheus.svc.cluster.local:9090",
        "prometheus:\n  enabled: true\n# and the same trigger",
    ),
    Code(
        "BND414",
        "triggers that can change nothing",
        "The group has triggers, and its least and its largest number of replicas are the same. The triggers are "
        "evaluated and never act. Raise the largest number if the group is to grow, or take the triggers out, so "
        "that the file says what it does.",
        "minInstances: 2\nmaxInstances: 2\n" + _ON_CPU,
        "minInstances: 2\nmaxInstances: 4\n" + _ON_CPU,
    ),
    Code(
        "BND415",
        "a group that sleeps and cannot be woken",
        "minInstances is 0, so the group may go down to no replica at all, and its only triggers measure the CPU "
        "or memory of replicas that run. With none running there is nothing to measure; KEDA refuses the "
        "combination. Keep one replica, or add a trigger that sees waiting work, such as a Prometheus query over "
        "the gateway's requests. On one machine the gateway itself holds the first request and wakes the group.",
        "minInstances: 0\nmaxInstances: 3\n" + _ON_CPU,
        "minInstances: 1\nmaxInstances: 3\n" + _ON_CPU,
    ),
    Code(
        "BND416",
        "a trigger that does not follow the load",
        "The only triggers of the group measure something that hardly changes with its load. On a GPU an engine "
        "keeps about one core busy for each GPU, whether it serves one request or fifty; and it takes the memory "
        "of its model and cache at the start and keeps it. Such a group grows at the wrong times or never. Scale "
        "on what users feel: queued or running requests, or the latency that Prometheus sees.",
        "gpu:\n  enabled: true\n" + _ON_CPU,
        "gpu:\n  enabled: true\nautoScaleTriggers:\n  - type: prometheus\n    metadata:\n"
        '      query: sum(vllm:num_requests_waiting{job="chat"})',
    ),
    Code(
        "BND417",
        "a mixed group without a fail-safe replica",
        "baseInstances is the number of replicas that always stand on on-demand nodes. With 0 every replica may "
        "be on spot nodes, and the market often takes all spot nodes of one type and zone back within minutes. A "
        "public group is then away until on-demand nodes have started and read the model; where "
        "maxOnDemandInstances is 0 too, until spot nodes are for sale again. Keep one, or accept the gap for a "
        "group that nobody waits for.",
        "baseInstances: 0\nmaxOnDemandInstances: 0\nspot:\n  minInstances: 1\n  maxInstances: 4",
        "baseInstances: 1\nmaxOnDemandInstances: 2\nspot:\n  minInstances: 1\n  maxInstances: 4",
    ),
    Code(
        "BND418",
        "a vector store of two replicas",
        "Qdrant's replicas agree on collections and shards by consensus, which needs more than half of them. Of "
        "two, more than half is both: when either is lost, searches in replicated collections go on, but no "
        "collection can be made, changed or moved and no lost shard restored. Use three to survive the loss of "
        "one, or one where a pause is acceptable.",
        "vectorStore:\n  nodeType: t3a.small\n  replicas: 2",
        "vectorStore:\n  nodeType: t3a.small\n  replicas: 3",
    ),
    Code(
        "BND419",
        "a probe of a port on which nothing listens",
        "In a cluster every replica is told to listen on port 8000, whatever port its own command names, so a probe of "
        "another port never passes: the replica is kept out of service, or ended and started again for ever. On one "
        "machine each replica has a port of its own, and its probes follow it.",
        "readinessProbe:\n  httpGet:\n    path: /health\n    port: 8080",
        "readinessProbe:\n  httpGet:\n    path: /health\n    port: 8000",
    ),
)
