"""BND74x and 75x: job, service, schedule and workspace files, named compute configs, `rayClusters`."""

from __future__ import annotations

from bandari.codes.code import Code

CODES: tuple[Code, ...] = (
    Code(
        "BND740",
        "a file of two kinds",
        "A file describes one job, service, schedule or workspace; `entrypoint` makes it a job, `applications` a "
        "service, `job_config` with `cron_expression` a schedule. This one has keys of several of them.",
        "entrypoint: python main.py\napplications:\n  - import_path: app:graph",
        "applications:\n  - import_path: app:graph",
    ),
    Code(
        "BND741",
        "a key of the older schema",
        "Job and service files had another schema once, with `runtime_env` at the top, `cluster_env` and "
        "`build_id`. The current schema has a key of its own for each part of it, and the two do not mix.",
        "entrypoint: python main.py\nruntime_env:\n  pip: [pillow]",
        "entrypoint: python main.py\nrequirements: [pillow]",
    ),
    Code(
        "BND742",
        "two images",
        "`image_uri` names an image that exists, `containerfile` one that is built first. Every node runs one image.",
        "image_uri: rayproject/ray:2.60.0-py312\ncontainerfile: ./Containerfile",
        "containerfile: ./Containerfile",
    ),
    Code(
        "BND743",
        "no reference to a compute config",
        "In job, service, schedule and workspace files `compute_config` is a compute config itself or the name of a "
        "stored one, with a version or without (`serving:3`). A path is neither. Under `rayClusters` of a cluster file "
        "a path may stand too; it begins with ./, ../, / or ~, or ends in .yaml, .yml or .json.",
        "compute_config: compute_config.yaml",
        "compute_config:\n  head_node:\n    instance_type: m5.2xlarge",
    ),
    Code(
        "BND744",
        "no such compute config",
        "The reference leads to no stored compute config, no version of one, or no file. `bandari compute-config list` "
        "shows what is stored; the finding says which names and versions are near. Paths start from the folder of the "
        "file that names them.",
        "compute_config: serving:12",
        "compute_config: serving:3",
    ),
    Code(
        "BND745",
        "an archived compute config",
        "The compute config was archived, so nothing new may use it, and its name is not given again. Its versions are "
        "kept: `bandari compute-config create NEW --from OLD` goes on with one of them under another name.",
        "compute_config: old-serving",
        "compute_config: serving",
    ),
    Code(
        "BND746",
        "a key without an effect",
        "The key belongs to a hosted service (projects, priorities, connections), or other keys leave it nothing to "
        "do. The file is run as if it were not there.",
        "priority: 10",
        "# no priority",
    ),
    Code(
        "BND747",
        "two applications alike",
        "Ray Serve tells applications by their names and requests by their route prefixes. Without a name an "
        "application is `default`, without a prefix it stands at `/`, so only one of them may go without.",
        "applications:\n  - import_path: a:graph\n  - import_path: b:graph",
        "applications:\n  - import_path: a:graph\n  - import_path: b:graph\n    name: b\n    route_prefix: /b",
    ),
    Code(
        "BND748",
        "no import path, or no route prefix",
        "`import_path` names a module and an application in it, `module.inner:application`. `route_prefix` begins with "
        "/ and does not end with it, but for / alone.",
        "applications:\n  - import_path: app/main.py",
        "applications:\n  - import_path: app.main:graph",
    ),
    Code(
        "BND749",
        "an option that is not the service's",
        "Host, port and root path of Ray Serve are chosen by what stands before it: the gateway here, the cluster's "
        "elsewhere. Other options of HTTP and gRPC are given to Serve.",
        "http_options:\n  port: 9000",
        "http_options:\n  request_timeout_s: 30",
    ),
    Code(
        "BND750",
        "no cron expression",
        "Five fields: minute, hour, day of month, month, day of week, each `*`, a number, a range, a list or a step, "
        "as crontab(5) has them; or one of @hourly, @daily, @weekly, @monthly, @yearly.",
        "cron_expression: 0 25 * * *",
        "cron_expression: 0 5 * * *",
    ),
    Code(
        "BND751",
        "no time zone",
        "`timezone` is a name of the IANA database such as Europe/Berlin, or `local` for that of the machine; UTC when "
        "absent.",
        "timezone: Europe/Berln",
        "timezone: Europe/Berlin",
    ),
    Code(
        "BND752",
        "several shapes for what needs one",
        "A compute config with `configs` has several shapes, of which one is used at a time. Jobs may start on any of "
        "them; a service or a workspace needs one.",
        "applications: ...\ncompute_config:\n  configs:\n    - ...\n    - ...",
        "applications: ...\ncompute_config:\n  head_node: ...",
    ),
    Code(
        "BND753",
        "two clouds",
        "Both the file and its compute config name a cloud, and they are not the same.",
        "cloud: staging\ncompute_config:\n  cloud: production",
        "compute_config:\n  cloud: production",
    ),
    Code(
        "BND754",
        "another name than written",
        "The cluster of a file is called after it, and clusters have names that Kubernetes takes: a-z, 0-9 and -, at "
        "most 63. The finding says what the cluster is called.",
        "name: Train_Model",
        "name: train-model",
    ),
    Code(
        "BND755",
        "no queue, or two",
        "`job_queue_config` names a queue that exists (`target_job_queue_name`) or describes one to make "
        "(`job_queue_spec`): one of them.",
        "job_queue_config:\n  priority: 1",
        "job_queue_config:\n  target_job_queue_name: nightly",
    ),
    Code(
        "BND756",
        "a Ray cluster of a name that is taken",
        "Ray clusters of a cluster file have names of their own, and none has the name of a model group: commands and "
        "addresses tell parts by their names.",
        "rayClusters:\n  - name: train\n  - name: train",
        "rayClusters:\n  - name: train\n  - name: serve",
    ),
    Code(
        "BND757",
        "another file than a compute config",
        "What is referred to holds a job, a service or a cluster file. A compute config holds nodes and limits alone.",
        "computeConfig: ./job.yaml",
        "computeConfig: ./compute.yaml",
    ),
    Code(
        "BND758",
        "two ways to install packages",
        "Ray takes one of pip, uv, conda and an image in the environment of an application. Requirements of the "
        "service are installed by pip in each application.",
        "requirements: [pillow]\napplications:\n  - import_path: app:graph\n    runtime_env:\n      uv: [numpy]",
        "requirements: [pillow, numpy]\napplications:\n  - import_path: app:graph",
    ),
    Code(
        "BND759",
        "two descriptions of an image",
        "`image` of a Ray cluster is a reference, a Containerfile, or versions of Ray, Python and CUDA from which the "
        "reference is made: one of them.",
        "image:\n  uri: rayproject/ray:2.60.0-py312\n  ray: 2.60.0",
        'image:\n  ray: 2.60.0\n  python: "3.12"',
    ),
)
