"""BND6xx: what a target or a model hub answered."""

from __future__ import annotations

from bandari.codes.code import Code

CODES = (
    Code(
        "BND601",
        "this version does not serve the target",
        "The file names a target that this version of bandari can check, but not yet plan or bring up. The same file "
        "runs on this machine with `--target local`: names, routes, scaling and the OpenAI interface are the same, so "
        "an application can be developed against it.",
        "bandari up -f cluster.yaml            # the file says aws:",
        "bandari up -f cluster.yaml --target local",
    ),
    Code(
        "BND602",
        "several model files match",
        "A group of llama.cpp serves one GGUF file: the only one that matches `files`, or part 1 of a split one. Hubs "
        "keep many quantisations of a model in one repository, so a glob often matches several. Name the one you want; "
        "Q4_K_M is a common balance of size and quality.",
        "model:\n  hfRepoId: TheBloke/Llama-2-7B-Chat-GGUF\n  files: ['*.gguf']",
        "model:\n  hfRepoId: TheBloke/Llama-2-7B-Chat-GGUF\n  files: ['*.Q4_K_M.gguf']",
    ),
    Code(
        "BND603",
        "no model file matches",
        "The repository exists, but none of its files matches `files` (globs, compared with the whole path in the "
        "repository, upper and lower case apart), or none that does can be served by the group's engine: llama.cpp "
        "needs a .gguf file. The finding lists the nearest files.",
        "model:\n  hfRepoId: TheBloke/Llama-2-7B-Chat-GGUF\n  files: ['*.q4_0.gguf']",
        "model:\n  hfRepoId: TheBloke/Llama-2-7B-Chat-GGUF\n  files: ['*.Q4_0.gguf']",
    ),
    Code(
        "BND604",
        "the model hub does not answer for a repository",
        "Sizes and file names of a model come from its hub. When the hub cannot be asked, the plan is made without "
        "them, and `up` can only go on with files that are here already. A gated repository needs its licence accepted "
        "on the hub and HF_TOKEN in the environment; HF_ENDPOINT names another hub.",
        "bandari plan -f cluster.yaml           # no network, or a gated repository without HF_TOKEN",
        "HF_TOKEN=... bandari plan -f cluster.yaml",
    ),
    Code(
        "BND605",
        "an option names something that is not there",
        "`--stand-in` takes the name of a built-in model, or GROUP=MODEL for one group; `--skip` takes a section of "
        "the file: function, job, vectorStore, prometheus or tracing. Nothing was done.",
        "bandari up --stand-in small --skip vectorstore",
        "bandari up --stand-in tiny --skip vectorStore",
    ),
    Code(
        "BND606",
        "the secrets file cannot be read",
        "`local: {secretsFile: FILE}` names a YAML file of this machine: the name of a secret, below it its keys with "
        "their values. It is not there, not readable for you, or not of that shape. Nothing of it is ever shown. "
        "Groups that take a variable from it (secretKeyRef) cannot start here until it can be read.",
        "secretsFile: secrets.yaml   # holds:  HF_TOKEN=...",
        "secretsFile: secrets.yaml   # holds:  hub: {token: ...}",
    ),
    Code(
        "BND607",
        "a file of this machine that is not there",
        "The file names a path of this machine: a model (`model.source`), a folder to mount (hostPath), a certificate "
        "or its key. Nothing is there. Relative paths start from the folder of the cluster file, not from where the "
        "command runs. `up` refuses until it is there, or until a stand-in serves the group.",
        "model:\n  source: modles/llama.gguf",
        "model:\n  source: models/llama.gguf",
    ),
    Code(
        "BND608",
        "a file that names no target",
        "A Ray compute config says which nodes there are and how they scale, never where: the same file runs on this "
        "machine, on Kubernetes and on the clouds. `check` looks at it without a target; `plan` and `up` have to know "
        "one. Name it with --target, or put the config below `rayClusters:` in a cluster file, which has a target.",
        "bandari up -f compute.yaml",
        "bandari up -f compute.yaml --target local",
    ),
)
