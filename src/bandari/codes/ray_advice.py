"""BND76x to BND78x: advice on a Ray cluster that is valid, and what this machine does otherwise than a cloud."""

from __future__ import annotations

from bandari.codes.code import Code

_HEAD = "head_node: {instance_type: m5.2xlarge}\n"
_GPU = "worker_nodes:\n  - {name: gpu, instance_type: g6.4xlarge, max_nodes: 4}"

CODES: tuple[Code, ...] = (
    Code(
        "BND760",
        "a small head",
        "The head keeps the state of all nodes, actors and jobs, and serves the dashboard. 8 CPUs and 32 GB are what "
        "hosted Ray advises for general use; clusters of hundreds of nodes want more. A smaller head works while the "
        "cluster is small, and is the first thing to fail when it grows: with it all work is lost.",
        "head_node: {instance_type: m5.large}",
        "head_node: {instance_type: m5.2xlarge}",
    ),
    Code(
        "BND761",
        "a head without a shape on Kubernetes",
        "On a cloud a head that is not described gets the cloud's default machine. A pod on Kubernetes has the size "
        "that is asked for and no other, so there it has to be said: by a pod shape, or by required_resources.",
        "worker_nodes:\n  - {instance_type: 8CPU-32GB, max_nodes: 4}",
        "head_node:\n  required_resources: {CPU: 8, memory: 32Gi}\nworker_nodes:\n"
        "  - {instance_type: 8CPU-32GB, max_nodes: 4}",
    ),
    Code(
        "BND762",
        "minimums above the cap",
        "max_resources caps the whole cluster, and wins over the groups' own bounds. Where the nodes that min_nodes "
        "asks for have more than the cap together, some of them can never start. Resources are logical: a group with "
        "resources: {CPU: 0} counts nothing against a cap of CPUs. A head that takes tasks counts too.",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, min_nodes: 4}     # 64 CPUs\nmax_resources: {CPU: 32}",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, min_nodes: 2}     # 32 CPUs\nmax_resources: {CPU: 32}",
    ),
    Code(
        "BND763",
        "a floor that no size reaches",
        "min_resources is what the whole cluster never falls below. Here all groups at max_nodes have less, so the "
        "floor can never stand: nodes are started up to the maximum, and the cluster is never complete.",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, max_nodes: 2}     # 32 CPUs\nmin_resources: {CPU: 64}",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, max_nodes: 4}     # 64 CPUs\nmin_resources: {CPU: 64}",
    ),
    Code(
        "BND764",
        "a floor above the cap",
        "min_resources and max_resources name the same resource, and the floor is the larger one. No size of the "
        "cluster is within both.",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge}\nmin_resources: {CPU: 64}\nmax_resources: {CPU: 32}",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge}\nmin_resources: {CPU: 32}\nmax_resources: {CPU: 64}",
    ),
    Code(
        "BND765",
        "logical resources above what the machine has",
        "`resources` are what Ray may schedule, and Ray only counts: it never looks at the machine. More CPUs than "
        "there are let tasks share cores, which may be meant. A GPU on a machine that has none is a fake GPU: tests "
        "use it, and a task that really needs the device lands there and fails.",
        "worker_nodes:\n  - {instance_type: m5.2xlarge, resources: {CPU: 8, GPU: 1}}",
        "worker_nodes:\n  - {instance_type: g6.2xlarge, resources: {CPU: 8, GPU: 1}}",
    ),
    Code(
        "BND766",
        "a head on spot",
        "The format knows no market for the head: it is on-demand. Settings of the provider can buy it as spot all "
        "the same. When such a head is taken away the cluster is gone, with every job and actor that ran; workers on "
        "spot are replaced, and Ray runs their tasks again.",
        "head_node:\n  instance_type: m5.2xlarge\n  advanced_instance_config:\n"
        "    InstanceMarketOptions: {MarketType: spot}",
        "head_node:\n  instance_type: m5.2xlarge\nworker_nodes:\n"
        "  - {instance_type: m5.4xlarge, market_type: PREFER_SPOT}",
    ),
    Code(
        "BND767",
        "a minimum that rests on spot alone",
        "market_type: SPOT buys spot and nothing else. While there is none, the group stands below min_nodes, "
        "however long that lasts. PREFER_SPOT buys on-demand nodes then, and exchanges them when spot is back.",
        "worker_nodes:\n  - {instance_type: m5.4xlarge, min_nodes: 2, market_type: SPOT}",
        "worker_nodes:\n  - {instance_type: m5.4xlarge, min_nodes: 2, market_type: PREFER_SPOT}",
    ),
    Code(
        "BND768",
        "GPUs, and an image without CUDA",
        "The tag of the image has no CUDA version, which for images of Ray means a build for CPUs. Libraries for "
        "GPUs find no CUDA in it: they compute on the CPU, or fail when they are loaded, on nodes that are paid for "
        "their GPUs.",
        "image_uri: rayproject/ray:2.57.0-py312\ncompute_config:\n  " + _GPU.replace("\n", "\n  "),
        "image_uri: rayproject/ray:2.57.0-py312-cu128\ncompute_config:\n  " + _GPU.replace("\n", "\n  "),
    ),
    Code(
        "BND769",
        "CUDA in a cluster without GPUs",
        "The image brings CUDA, some GB that every node loads before it starts, and no node of the cluster has a GPU.",
        "image_uri: rayproject/ray:2.57.0-py312-cu128\ncompute_config:\n  worker_nodes:\n"
        "    - {instance_type: m5.4xlarge}",
        "image_uri: rayproject/ray:2.57.0-py312\ncompute_config:\n  worker_nodes:\n    - {instance_type: m5.4xlarge}",
    ),
    Code(
        "BND770",
        "nothing but GPU machines for CPU tasks",
        "Next to worker groups the head takes no tasks unless its resources say so. When every group has GPUs, a "
        "task that asks for a CPU alone has no place but a GPU machine: one is started for it, at the price of its "
        "GPU. Ray's autoscaler prefers groups without GPUs for such tasks where there is one.",
        _HEAD + _GPU,
        _HEAD + _GPU + "\n  - {name: cpu, instance_type: m5.4xlarge, max_nodes: 4}",
    ),
    Code(
        "BND771",
        "a zone that is none of the cloud, or of another region",
        "The machine types tell which cloud is meant, and its zones have names of a form: us-west-2a on AWS, "
        "us-central1-a on Google Cloud. A cluster stands in one region, so all of its zones are of one.",
        "head_node: {instance_type: m5.2xlarge}\nzones: [us-central1-a]",
        "head_node: {instance_type: m5.2xlarge}\nzones: [us-west-2a]",
    ),
    Code(
        "BND772",
        "a zone without the machine type",
        "Not every zone offers every machine type, those with GPUs least of all. Nodes of the type start in the "
        "other zones only; without cross-zone scaling the whole cluster waits when this zone is tried. The catalog "
        "knows zones of AWS's us-east-1 and us-west-2 and of most types of Google Cloud; letters of AWS zones differ "
        "between accounts, so it is a warning.",
        "head_node: {instance_type: n2-standard-8}\nworker_nodes:\n  - {instance_type: a2-highgpu-1g}\n"
        "zones: [us-east1-d]",
        "head_node: {instance_type: n2-standard-8}\nworker_nodes:\n  - {instance_type: a2-highgpu-1g}\n"
        "zones: [us-east1-b]",
    ),
    Code(
        "BND773",
        "a network of one zone in a cluster of several",
        "A placement group and EFA connect machines of one zone. Where no zone is named, or several are, nodes may "
        "start in a zone that the network does not reach. Name exactly one.",
        "worker_nodes:\n  - instance_type: p4d.24xlarge\n    advanced_instance_config:\n"
        "      Placement: {GroupName: train}",
        "worker_nodes:\n  - instance_type: p4d.24xlarge\n    advanced_instance_config:\n"
        "      Placement: {GroupName: train}\nzones: [us-west-2b]",
    ),
    Code(
        "BND774",
        "a network of one zone, spread over zones",
        "enable_cross_zone_scaling starts nodes in several zones, and a placement group or EFA connects machines of "
        "one zone alone. The nodes of the other zones cannot join it.",
        "enable_cross_zone_scaling: true\nzones: [us-west-2b]\nadvanced_instance_config:\n"
        "  Placement: {GroupName: train}",
        "zones: [us-west-2b]\nadvanced_instance_config:\n  Placement: {GroupName: train}",
    ),
    Code(
        "BND775",
        "settings that a node loses",
        "advanced_instance_config of a node replaces that of the cluster as a whole; they are never merged. A tag, a "
        "disk or a profile that stands with the cluster does not reach a node that has settings of its own. The "
        "finding names what is lost.",
        "head_node: {instance_type: m5.2xlarge}\nworker_nodes:\n  - instance_type: m5.4xlarge\n"
        "    advanced_instance_config:\n      IamInstanceProfile: {Name: worker}\nadvanced_instance_config:\n"
        "  SecurityGroupIds: [sg-1]",
        "head_node: {instance_type: m5.2xlarge}\nworker_nodes:\n  - instance_type: m5.4xlarge\n"
        "    advanced_instance_config:\n      IamInstanceProfile: {Name: worker}\n      SecurityGroupIds: [sg-1]\n"
        "advanced_instance_config:\n  SecurityGroupIds: [sg-1]",
    ),
    Code(
        "BND776",
        "a service that needs more GPUs than there can be",
        "The replicas of the service ask for GPUs (ray_actor_options.num_gpus), and the cluster may not have as "
        "many: max_nodes and max_resources bound it. It is an error when the fewest replicas do not fit, or one "
        "replica fits no node; a warning when only the most do not.",
        "applications:\n  - import_path: app:graph\n    deployments:\n"
        "      - {name: Ranker, num_replicas: 6, ray_actor_options: {num_gpus: 1}}\ncompute_config:\n"
        "  worker_nodes: [{instance_type: g6.4xlarge, max_nodes: 4}]",
        "applications:\n  - import_path: app:graph\n    deployments:\n"
        "      - {name: Ranker, num_replicas: 4, ray_actor_options: {num_gpus: 1}}\ncompute_config:\n"
        "  worker_nodes: [{instance_type: g6.4xlarge, max_nodes: 4}]",
    ),
    Code(
        "BND777",
        "two groups with one name on Kubernetes",
        "Ray takes any name of a group. On Kubernetes it becomes a DNS label: lower case letters, digits and dashes. "
        "Two groups of this file would have the same one there.",
        _HEAD
        + "worker_nodes:\n  - {name: 1x_L4, instance_type: 8CPU-32GB}\n  - {name: 1x-L4, instance_type: 8CPU-32GB}",
        _HEAD
        + "worker_nodes:\n  - {name: l4-small, instance_type: 8CPU-32GB}\n  - {name: l4-big, instance_type: 8CPU-32GB}",
    ),
    Code(
        "BND778",
        "an unknown machine type of a Ray cluster",
        "Machine types are those of AWS and Google Cloud, with hosted Ray's GPU suffix or as a custom type "
        "(n2-custom-8-32768), and pod shapes (8CPU-32GB-1xT4). What is none of them is a warning, as clouds add "
        "types faster than a table can follow; a group of a type that does not exist never gets a node. All nodes of "
        "a cluster stand on one cloud, so a type of the other one is named too.",
        "worker_nodes:\n  - {instance_type: g5.x2large}",
        "worker_nodes:\n  - {instance_type: g5.2xlarge}",
    ),
    Code(
        "BND779",
        "a shape that no machine has",
        "required_resources are met by a machine that has at least the CPUs and the memory, at most twice as much of "
        "each, exactly the GPUs, of the kind and the architecture. No machine type in the catalog does; the finding "
        "says which need leaves none. On Kubernetes a pod may have any shape that fits a node.",
        "worker_nodes:\n  - required_resources: {CPU: 8, memory: 32Gi, GPU: 3}",
        "worker_nodes:\n  - required_resources: {CPU: 8, memory: 32Gi, GPU: 1}",
    ),
    Code(
        "BND780",
        "a node that cannot be sized here",
        "What Ray may schedule on a node comes from its machine type, or from `resources`. The type is not known and "
        "no resources are given, so there is nothing to start a node of this machine with. Name the resources: they "
        "count everywhere, whatever the machine is.",
        "head_node: {instance_type: zz9.large}",
        "head_node: {instance_type: m5.2xlarge}",
    ),
    Code(
        "BND781",
        "settings that wait for their provider",
        "advanced_instance_config holds settings of a cloud's machines, or a patch for pods: disks, profiles, "
        "security groups, placement, selectors, volumes. This machine has no use for them. They are read, checked "
        "for their shape and kept, and go to the provider that knows them when the same file runs there.",
        "head_node:\n  instance_type: m5.2xlarge\n  advanced_instance_config:\n    IamInstanceProfile: {Name: ray}",
        "head_node: {instance_type: m5.2xlarge}",
    ),
    Code(
        "BND782",
        "accelerators that are counted and not there",
        "On one machine the GPUs of a cluster are logical: Ray counts them and labels the nodes as declared, so "
        "tasks land where they should and scaling works as it would. What they compute, they compute on what is "
        "here, and GPUs that are here are shared by all nodes.",
        _HEAD + _GPU,
        _HEAD + "worker_nodes:\n  - {name: cpu, instance_type: m5.4xlarge, max_nodes: 4}",
    ),
    Code(
        "BND783",
        "a job queue",
        "job_queue_config belongs to a service of the hosted product that lets jobs share clusters in an order. Here "
        "a job is submitted at once, and Ray runs jobs side by side.",
        "entrypoint: python main.py\njob_queue_config: {priority: 1, target_job_queue_name: shared}",
        "entrypoint: python main.py",
    ),
    Code(
        "BND784",
        "configs that are not used",
        "`configs` lists one compute config for each resource of a cloud, of which the hosted product chooses one. "
        "This machine is one resource: the first config runs, and the plan says so.",
        "configs:\n  - {cloud_resource: a, head_node: {instance_type: m5.2xlarge}}\n"
        "  - {cloud_resource: b, head_node: {instance_type: n2-standard-8}}",
        "configs:\n  - {cloud_resource: a, head_node: {instance_type: m5.2xlarge}}",
    ),
    Code(
        "BND785",
        "Ray is not installed",
        "Ray clusters run here as real Ray processes, with the Ray of bandari's own environment or with one that is "
        "made for an image. The extra `ray` brings it: pip install 'bandari[ray]'.",
        _HEAD + "# without Ray in the environment",
        _HEAD + "# after pip install 'bandari[ray]'",
    ),
    Code(
        "BND786",
        "a label that Ray refuses",
        "Labels of Ray follow the rules of Kubernetes: a value is at most 63 letters, digits, -, _ and ., with a "
        "letter or a digit at both ends; a key may have a prefix and a slash before it. Ray ends when it is started "
        "with another one.",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, labels: {team: 'a & b'}}",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, labels: {team: a-and-b}}",
    ),
    Code(
        "BND787",
        "more nodes than this machine can hold",
        "Each node is a set of Ray's own processes: about 700 MiB for a head with its dashboard and 240 MiB for a "
        "worker. No scaling makes them smaller. When the minimum does not fit, `up` refuses; when only the maximum "
        "does not, demand decides, and a machine that is full is slow or ends processes.",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, min_nodes: 200, max_nodes: 200}",
        _HEAD + "worker_nodes:\n  - {instance_type: m5.4xlarge, min_nodes: 2, max_nodes: 4}",
    ),
    Code(
        "BND788",
        "a setting without effect here",
        "Timeouts of zones, rankings by price, machine pools, shares that are reserved for the system and the like "
        "decide how machines are bought and set up. Here nothing is bought. They are kept for the targets that have "
        "a use for them.",
        _HEAD + "flags: {zone_starting_timeout: 15m}",
        _HEAD + "flags: {idle_termination_seconds: 300}",
    ),
    Code(
        "BND789",
        "a fraction of a CPU or GPU on a node",
        "A node has whole CPUs and GPUs; hosted Ray cuts 2.5 to 2, and so does bandari. Custom resources of a node "
        "may be fractions, and a task may ask for a fraction of anything.",
        "worker_nodes:\n  - {instance_type: m5.xlarge, resources: {CPU: 2.5}}",
        "worker_nodes:\n  - {instance_type: m5.xlarge, resources: {CPU: 2}}",
    ),
)
