"""BND1xx: the text cannot be read as one YAML mapping."""

from __future__ import annotations

from bandari.codes.code import Code

CODES = (
    Code(
        "BND100",
        "the file cannot be read",
        "The file is not there, is a folder, or may not be read by this user. Commands look for cluster.yaml in the "
        "current folder unless -f names another file.",
        "bandari check",
        "bandari check -f examples/quickstart.yaml",
    ),
    Code(
        "BND101",
        "not YAML",
        "The text breaks the rules of YAML, so nothing after that place can be understood. The usual reasons: a quote "
        "or bracket that is not closed, a line that is indented differently from its neighbours, or text with `: ` in "
        "it that is not quoted. The place is where reading stopped; the reason may stand a little above it.",
        "image: [vllm/vllm-openai",
        "image: vllm/vllm-openai:v0.4.2",
    ),
    Code(
        "BND102",
        "indented with a tab",
        "YAML allows only spaces in the indentation, because a tab is not equally wide everywhere. Most editors can "
        "turn tabs into spaces.",
        "local:\n\tcluster:",
        "local:\n  cluster:",
    ),
    Code(
        "BND103",
        "a key stands twice",
        "One mapping holds the same key twice, so that one of the two values would be ignored in silence.",
        "minInstances: 1\nmaxInstances: 2\nminInstances: 2",
        "minInstances: 2\nmaxInstances: 2",
    ),
    Code(
        "BND104",
        "several documents in one file",
        "A line `---` after the first content begins another YAML document. A cluster is one document.",
        'version: "1.3"\n---\nlocal: ...',
        'version: "1.3"\nlocal: ...',
    ),
    Code(
        "BND105",
        "an empty file",
        "The file holds nothing, or nothing but comments. `bandari init` writes a starter file.",
        "# my cluster",
        'version: "1.3"\nlocal:\n  cluster:\n    name: demo',
    ),
    Code(
        "BND106",
        "not a mapping",
        "A cluster file is a mapping: lines of `key: value`. This one is a list or a single value.",
        "- version\n- local",
        'version: "1.3"\nlocal:\n  cluster:\n    name: demo',
    ),
    Code(
        "BND107",
        "not a text file",
        "The file holds bytes or characters that no text has: it is binary, or saved in another encoding than UTF-8.",
        "a file saved as UTF-16",
        "the same file saved as UTF-8",
    ),
    Code(
        "BND108",
        "a file of more than 1 MiB",
        "No cluster file is that large, so the name was probably mistaken for another. Nothing of the file was read.",
        "bandari check -f model.gguf",
        "bandari check -f cluster.yaml",
    ),
    Code(
        "BND109",
        "a YAML tag",
        "Tags such as !include or !!binary ask for more than plain data. Only text, numbers, true, false, null, "
        "mappings and lists are read.",
        "command: !include command.yaml",
        'command: ["--ctx-size", "4096"]',
    ),
    Code(
        "BND110",
        "a key that is not text",
        "YAML reads the key as a number, as true or false, as null, or as a mapping. Keys of the file are text.",
        "values:\n  settings:\n    8080: open",
        'values:\n  settings:\n    "8080": open',
    ),
    Code(
        "BND111",
        "an alias without its anchor",
        "`*name` repeats the value that `&name` marks, and nothing above the alias is marked so. Text that begins "
        "with * has to be quoted, as globs often do.",
        "files: [*.gguf]",
        "files: ['*.gguf']",
    ),
    Code(
        "BND112",
        "aliases that multiply",
        "Written out, the aliases of the file make more values than any cluster has. A few lines of aliases of aliases "
        "could fill the memory, so reading stops.",
        "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]   # and so on",
        "a: &a [x, x, x]\nb: *a",
    ),
    Code(
        "BND113",
        "nested too deeply",
        "Mappings and lists stand in one another more than 64 deep, or an alias stands inside its own value. No field "
        "of the file is nested as deeply.",
        "command: &c [*c]",
        'command: ["--ctx-size", "4096"]',
    ),
    Code(
        "BND114",
        "a merge of what is no mapping",
        "The key `<<` takes the keys of another mapping into this one. Its value must be an alias of a mapping, or a "
        "list of such.",
        "resourceRequest:\n  <<: 2Gi",
        "resourceRequest:\n  <<: *small",
    ),
)
