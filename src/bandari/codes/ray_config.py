"""BND7xx: a Ray compute config that is not well formed, or not what it seems."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "BND700",
        "a machine type and a shape",
        "A node is described by instance_type, the name of a machine, or by required_resources, a physical shape that "
        "any fitting machine may have. With both it is not clear which of them counts. Beside required_resources only "
        "`instance_type: custom` may stand, which says the same.",
        "head_node:\n  instance_type: m5.2xlarge\n  required_resources: {CPU: 8, memory: 32Gi}",
        "head_node:\n  required_resources: {CPU: 8, memory: 32Gi}",
    ),
    Code(
        "BND701",
        "neither a machine type nor a shape",
        "A head or a group that is written down needs instance_type or required_resources. Leave head_node out as a "
        "whole for the default of the target.",
        "worker_nodes:\n  - name: cpu\n    max_nodes: 4",
        "worker_nodes:\n  - name: cpu\n    instance_type: m5.4xlarge\n    max_nodes: 4",
    ),
    Code(
        "BND702",
        "more logical than physical resources",
        "`resources` is what Ray may schedule on a node, `required_resources` what the machine has. CPU, GPU and "
        "memory may not be larger in the first than in the second, or tasks would share what each believes to have.",
        "required_resources: {CPU: 4, memory: 16Gi}\nresources: {CPU: 8}",
        "required_resources: {CPU: 8, memory: 16Gi}\nresources: {CPU: 8}",
    ),
    Code(
        "BND703",
        "memory without a unit",
        "memory is a number of bytes, or a number with a unit. Less than 1 MiB is no machine, so a unit was forgotten.",
        "required_resources: {CPU: 2, memory: 8}",
        "required_resources: {CPU: 2, memory: 8Gi}",
    ),
    Code(
        "BND704",
        "larger than any machine",
        "required_resources is one machine: at most 512 CPUs, 24 TiB of memory and 16 GPUs.",
        "required_resources: {CPU: 1024, memory: 64Gi}",
        "required_resources: {CPU: 64, memory: 64Gi}",
    ),
    Code(
        "BND705",
        "an accelerator without a number",
        "A kind of GPU says which, never how many. required_resources needs GPU beside accelerator, and beside the "
        "label ray.io/accelerator-type in required_labels. A machine type has its GPUs already.",
        "required_resources: {CPU: 8, memory: 32Gi}\nrequired_labels: {ray.io/accelerator-type: T4}",
        "required_resources: {CPU: 8, memory: 32Gi, GPU: 1}\nrequired_labels: {ray.io/accelerator-type: T4}",
    ),
    Code(
        "BND706",
        "parts of a TPU slice are missing",
        "TPUs come in slices: TPU (chips of a host), tpu_hosts, a kind (ray.io/accelerator-type: TPU-...) and a "
        "topology (ray.io/tpu-topology), or the two node selectors of GKE.",
        "required_resources: {CPU: 24, memory: 48Gi, TPU: 4}",
        "required_resources: {CPU: 24, memory: 48Gi, TPU: 4, tpu_hosts: 1}\nrequired_labels:\n"
        "  ray.io/accelerator-type: TPU-V6E\n  ray.io/tpu-topology: 2x2",
    ),
    Code(
        "BND707",
        "TPU labels in two places",
        "The kind and the topology of TPUs may stand in labels or in required_labels, not in both.",
        "labels: {ray.io/tpu-topology: 2x2}\nrequired_labels: {ray.io/tpu-topology: 2x2}",
        "required_labels: {ray.io/tpu-topology: 2x2}",
    ),
    Code(
        "BND708",
        "two groups of one name",
        "Groups are told apart by their names. One without a name is called after its machine type, one with "
        "required_resources after its shape (memory in whole GiB), so two alike need names of their own. `head` is the "
        "name of the head.",
        "worker_nodes:\n  - instance_type: m5.large\n  - instance_type: m5.large",
        "worker_nodes:\n  - {name: a, instance_type: m5.large}\n  - {name: b, instance_type: m5.large}",
    ),
    Code(
        "BND709",
        "a minimum above the maximum",
        "min_nodes may not be larger than max_nodes, which is 10 where it is not written.",
        "min_nodes: 20",
        "min_nodes: 20\nmax_nodes: 20",
    ),
    Code(
        "BND710",
        "an unknown accelerator",
        "The kind of accelerator is none of those that Ray has a name for. Names are in upper case: T4, A10G, L40S, "
        "A100-80G, H100, TPU-V6E.",
        "required_resources: {CPU: 8, memory: 32Gi, GPU: 1, accelerator: h100}",
        "required_resources: {CPU: 8, memory: 32Gi, GPU: 1, accelerator: H100}",
    ),
    Code(
        "BND711",
        "two kinds of GPU",
        "The node selector of GKE and the label ray.io/accelerator-type name different GPUs, and both have to hold for "
        "a node.",
        "required_labels: {ray.io/accelerator-type: T4} # nodeSelector: nvidia-l4",
        "required_labels: {ray.io/accelerator-type: L4} # nodeSelector: nvidia-l4",
    ),
    Code(
        "BND712",
        "groups that are listed and chosen",
        "auto_select_worker_config has worker groups chosen, so worker_nodes has to be absent; an empty list says "
        "`head only` and contradicts it, too.",
        "auto_select_worker_config: true\nworker_nodes: []",
        "auto_select_worker_config: true",
    ),
    Code(
        "BND713",
        "a key of a node that has another name",
        "The key is an older or another name of a field of the current schema.",
        "worker_nodes:\n  - instance_type: m5.large\n    min_workers: 1",
        "worker_nodes:\n  - instance_type: m5.large\n    min_nodes: 1",
    ),
    Code(
        "BND714",
        "two schemas in one file",
        "A compute config is written in the current schema (head_node, worker_nodes, min_nodes) or in the older one "
        "(head_node_type, worker_node_types, min_workers). Both are read; a mixture is not, because the same thing "
        "could be said twice.",
        "head_node_type: {instance_type: m5.large}\nworker_nodes: []",
        "head_node: {instance_type: m5.large}\nworker_nodes: []",
    ),
    Code(
        "BND715",
        "a key that belongs elsewhere",
        "The key exists, and not in this place: limits for the life of a whole cluster stand in the file that uses the "
        "compute config, zones at its top, and the name of a cluster on the command line.",
        "idle_termination_minutes: 30\nhead_node: {instance_type: m5.large}",
        "head_node: {instance_type: m5.large}",
    ),
    Code(
        "BND716",
        "configs that cannot be told apart",
        "In the form with `configs` each compute config is for one resource of one cloud: cloud_resource differs "
        "between them (one may leave it out), and cloud does not.",
        "configs:\n  - head_node: {instance_type: a}\n  - head_node: {instance_type: b}",
        "configs:\n  - cloud_resource: east\n  - cloud_resource: west",
    ),
    Code(
        "BND717",
        "not exactly one cloud",
        "The older schema wants either cloud, a name, or cloud_id. The current schema may leave it out.",
        "cloud: demo\ncloud_id: cld_1\nhead_node_type: {instance_type: m5.large}\nworker_node_types: []",
        "cloud: demo\nhead_node_type: {instance_type: m5.large}\nworker_node_types: []",
    ),
    Code(
        "BND718",
        "a key without effect",
        "The older schema has keys that mean nothing any more: region and max_workers at its top, the name of the "
        "head, fallback_to_ondemand without use_spot, tpu_type.",
        "cloud: demo\nregion: us-west-2\nhead_node_type: {instance_type: m5.large}\nworker_node_types: []",
        "cloud: demo\nhead_node_type: {instance_type: m5.large}\nworker_node_types: []",
    ),
    Code(
        "BND719",
        "a flag that is not known",
        "The list of flags is not published, so a flag that bandari does not know is kept in the state and has no "
        "effect here. Often it is misspelt, or stands among the flags of a node instead of those of the cluster.",
        "flags:\n  idle_termination_second: 60",
        "flags:\n  idle_termination_seconds: 60",
    ),
    Code(
        "BND720",
        "a flag with a wrong value",
        "Flags are typed: durations as 1h30m, 15m or 30s, seconds as whole numbers, true or false, lists of rankers.",
        "flags:\n  zone_starting_timeout: 10",
        "flags:\n  zone_starting_timeout: 10m",
    ),
    Code(
        "BND721",
        "a feature tag",
        "Tags and labels of machines named as-feature-... were once read as settings. They are translated into the "
        "field or the flag that replaced them, and taken out of the settings of the provider.",
        "instance_properties:\n  labels: {as-feature-multi-zone: 'true'}",
        "enable_cross_zone_scaling: true",
    ),
    Code(
        "BND722",
        "a setting that bandari makes itself",
        "Some parameters of RunInstances and bulkInsert follow from the rest of the file: image, machine type, counts, "
        "names, addresses, user data.",
        "advanced_instance_config:\n  ImageId: ami-1",
        "advanced_instance_config:\n  SubnetId: subnet-1",
    ),
    Code(
        "BND723",
        "a setting of another shape",
        "advanced_instance_config is passed on to the provider, which would refuse this value later: the key wants "
        "text, a number, true or false, a list or a mapping.",
        "advanced_instance_config:\n  SecurityGroupIds: sg-1",
        "advanced_instance_config:\n  SecurityGroupIds: [sg-1]",
    ),
    Code(
        "BND724",
        "a list where a mapping belongs",
        "A list of one mapping stands where the provider wants the mapping. What is meant is clear, so it is read as "
        "the mapping.",
        "Ebs:\n  - VolumeSize: 100",
        "Ebs:\n  VolumeSize: 100",
    ),
    Code(
        "BND725",
        "a setting of no known provider",
        "advanced_instance_config holds the parameters of EC2's RunInstances, the body of Compute Engine's bulkInsert, "
        "or metadata and spec of a pod. Other keys are passed on as written, and may be refused later.",
        "advanced_instance_config:\n  BlockDeviceMapping: []",
        "advanced_instance_config:\n  BlockDeviceMappings: []",
    ),
    Code(
        "BND726",
        "a custom resource that looks like one of Ray's",
        "Keys of resources are in upper and lower case: CPU, GPU, memory, object_store_memory. Every other key is a "
        "custom resource, so `cpu: 0` leaves the CPUs as they are.",
        "resources: {cpu: 0}",
        "resources: {CPU: 0}",
    ),
    Code(
        "BND727",
        "a flag beside its field",
        "The flag is an older spelling of a field that is written, too. The field wins, and the flag has no effect.",
        "enable_cross_zone_scaling: true\nflags:\n  allow-cross-zone-autoscaling: false",
        "enable_cross_zone_scaling: true",
    ),
    Code(
        "BND728",
        "no groups below worker_nodes",
        "worker_nodes stands there without a value. The cluster then has a head and no workers: groups are chosen only "
        "with auto_select_worker_config.",
        "head_node: {instance_type: m5.large}\nworker_nodes:",
        "head_node: {instance_type: m5.large}\nworker_nodes: []",
    ),
    Code(
        "BND729",
        "a template",
        "The file holds {{ }} or {% %}: it is a Jinja template, and YAML only after it was rendered. Give the "
        "variables as a YAML file with --render; `env` is the mapping that templates of this kind ask for.",
        "cloud: {{env['CLOUD']}}",
        "bandari check compute.yaml --render env.yaml",
    ),
    Code(
        "BND730",
        "a variable that is not defined",
        "The template uses a name, or a key of a mapping, that the file of variables does not hold. Nothing is filled "
        "in for it; write `| default(...)` in the template where a value may be missing.",
        "cloud: {{env['CLOUD']}} # env: {}",
        "cloud: {{env['CLOUD']}} # env: {CLOUD: demo}",
    ),
    Code(
        "BND731",
        "a template that does not render",
        "Jinja refuses the template, an expression in it fails, the variables cannot be read, or it is too much: it "
        "may take 10 seconds and make 1 MiB. It runs in a sandbox that opens no files, so there is no include.",
        "{% for %}",
        "{% for k in range(3) %}...{% endfor %}",
    ),
    Code(
        "BND732",
        "a label that selects nothing",
        "required_labels selects hardware by ray.io/accelerator-type and ray.io/tpu-topology; no provider knows what "
        "machine another label asks for.",
        "required_labels: {team: a}",
        "labels: {team: a}",
    ),
    Code(
        "BND733",
        "no Jinja here",
        "--render needs the library Jinja2, which comes with an extra of bandari.",
        "pip install bandari",
        "pip install 'bandari[render]'",
    ),
    Code(
        "BND734",
        "settings that are replaced everywhere",
        "advanced_instance_config of a node replaces that of the cluster and is never merged with it. Here the head "
        "and every group have their own, so nothing takes the settings of the cluster.",
        "advanced_instance_config: {SubnetId: subnet-1}\nhead_node:\n  instance_type: m5.large\n"
        "  advanced_instance_config: {SubnetId: subnet-2}",
        "head_node:\n  instance_type: m5.large\n  advanced_instance_config: {SubnetId: subnet-2}",
    ),
    Code(
        "BND735",
        "any zone and certain ones",
        "In allowed_azs `any` means all zones of the region, so it stands alone.",
        "allowed_azs: [any, us-west-2a]",
        "allowed_azs: [us-west-2a]",
    ),
    Code(
        "BND736",
        "a second name",
        "--name is for files that name no cluster, such as compute configs. A cluster file names its cluster, and the "
        "option has no effect on it.",
        "bandari check cluster.yaml --name other",
        "bandari check cluster.yaml",
    ),
    Code(
        "BND737",
        "a zone twice",
        "A zone stands twice in zones. It counts once.",
        "zones: [a, a]",
        "zones: [a, b]",
    ),
    Code(
        "BND738",
        "EFA over several zones",
        "The Elastic Fabric Adapter connects machines of one zone (of one placement group, at best), so efa_config "
        "wants exactly one zone and no scaling across zones.",
        "zones: [a, b]\nflags: {efa_config: {device_count: 1}}",
        "zones: [a]\nflags: {efa_config: {device_count: 1}}",
    ),
    Code(
        "BND739",
        "a ranked group that is none",
        "group_order names groups of the file, or the halves of a PREFER_SPOT group as name/spot and name/on-demand.",
        "group_order: [gpus]",
        "group_order: [gpu/spot, gpu/on-demand]",
    ),
)
