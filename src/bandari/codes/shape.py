"""BND2xx: a key or value has not the shape that its field has."""

from __future__ import annotations

from bandari.codes.code import Code

CODES = (
    Code(
        "BND201",
        "an unknown key",
        "The mapping has no such key, so the line would have no effect. Usually it is misspelt, in the wrong case, or "
        "stands one level too high or too low. docs/cluster-file.md lists every key.",
        "runtime:\n  imgae: vllm/vllm-openai:v0.4.2",
        "runtime:\n  image: vllm/vllm-openai:v0.4.2",
    ),
    Code(
        "BND202",
        "a missing key",
        "The mapping needs a key that it does not have. Some keys are needed on a cloud alone, where machines have to "
        "be bought; on this machine they may be left out.",
        "modelGroups:\n  - name: chat",
        "modelGroups:\n  - name: chat\n    minInstances: 1\n    maxInstances: 2\n    runtime:\n      image: ...",
    ),
    Code(
        "BND203",
        "another kind of value",
        "The field wants a value of another kind: text, a whole number, true or false, a list or a mapping. Numbers in "
        "quotes are taken as numbers, and numbers where text is wanted as they are written.",
        "maxInstances: many",
        "maxInstances: 3",
    ),
    Code(
        "BND204",
        "a key without a value",
        "Nothing stands after a key that needs a value. An unfinished line is refused instead of read as some default. "
        "A key that may be left out, such as a whole section, may also stand there empty.",
        "runtime:\n  image:",
        "runtime:\n  image: vllm/vllm-openai:v0.4.2",
    ),
    Code(
        "BND205",
        "a value out of range",
        "The number is smaller or larger than the field can mean.",
        "minInstances: -1",
        "minInstances: 0",
    ),
    Code(
        "BND206",
        "no quantity",
        "CPU is written in cores or thousandths of one (2, 0.5, 500m); memory and storage as a number and a unit "
        "(512Mi, 20Gi, 1.5G). These are Kubernetes' own notations.",
        "resourceRequest:\n  cpu: two\n  memory: 2 GB",
        'resourceRequest:\n  cpu: "2"\n  memory: 2Gi',
    ),
    Code(
        "BND207",
        "not one of the possible words",
        "The field takes one of a few words, and this is none of them. Upper and lower case count.",
        "local:\n  engine: llama.cpp",
        "local:\n  engine: llama-server",
    ),
    Code(
        "BND208",
        "no DNS label",
        "Names of clusters, groups, namespaces and volumes become names of Kubernetes objects and of hosts. They hold "
        "a-z, 0-9 and -, begin and end with a letter or digit, and have at most 63 characters.",
        "name: Llama2_Chat",
        "name: llama2-chat",
    ),
    Code(
        "BND209",
        "no repository id",
        "A repository of the Hugging Face hub is written owner/name, with letters, digits, -, _ and ., without -- or "
        ".., and without its address or .git.",
        "hfRepoId: https://huggingface.co/TheBloke/Llama-2-7B-Chat-GGUF",
        "hfRepoId: TheBloke/Llama-2-7B-Chat-GGUF",
    ),
    Code(
        "BND210",
        "a name that Kubernetes refuses",
        "Names of environment variables hold letters, digits, _, - and ., and do not begin with a digit. Keys of "
        "config maps and secrets hold the same characters.",
        "env:\n  - name: 1ST VALUE\n    value: x",
        "env:\n  - name: FIRST_VALUE\n    value: x",
    ),
    Code(
        "BND211",
        "no port",
        "A port is a number from 1 to 65535, or in a probe the name of a port: a-z, 0-9 and -, at most 15 characters "
        "with a letter among them.",
        "httpGet:\n  path: /health\n  port: 80800",
        "httpGet:\n  path: /health\n  port: 8080",
    ),
    Code(
        "BND212",
        "no path of this kind",
        "A mount stands at an absolute path of the container, without a colon. A subPath stays inside its volume: it "
        "does not begin with / and has no ..",
        "mountPath: data/cache",
        "mountPath: /data/cache",
    ),
    Code(
        "BND213",
        "no version",
        "The version of the language is written x.y, such as 1.3. It need not be quoted.",
        "version: one",
        'version: "1.3"',
    ),
    Code(
        "BND214",
        "an empty list",
        "The list needs at least one item: machine types to choose from, or the words of a command.",
        "nodeTypes: []",
        "nodeTypes: [t3a.large]",
    ),
    Code(
        "BND215",
        "no IP address",
        "The public listener is bound to an address of this machine: 0.0.0.0 or :: for all of them, 127.0.0.1 or ::1 "
        "for this machine alone, or one of its own. Names of hosts are not looked up.",
        "publicAddress: localhost",
        "publicAddress: 127.0.0.1",
    ),
)
