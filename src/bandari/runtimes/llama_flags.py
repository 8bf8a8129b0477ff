"""llama-server's command line as a table: every flag it documents, its value, and what the embedded engine makes of it.

Source: the generated table in tools/server/README.md of ggml-org/llama.cpp, and the flags of 2024's `server` that
users still write. Pure; `serving.llama` sets the fields, `runtimes.llama_cpp` judges commands by it.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TABLE = """
-t --threads                                | int    | cpuparams.n_threads        | LLAMA_ARG_THREADS
-tb --threads-batch                         | int    | cpuparams_batch.n_threads  |
--prio                                      | prio   | cpuparams.priority         |
--prio-batch                                | prio   | cpuparams_batch.priority   |
--poll                                      | int    | cpuparams.poll             |
--poll-batch                                | int    | cpuparams_batch.poll       |
--cpu-strict                                | bit    | cpuparams.strict_cpu       |
--cpu-strict-batch                          | bit    | cpuparams_batch.strict_cpu |
-C --cpu-mask                               | text   | refused                    |
-Cr --cpu-range                             | text   | refused                    |
-Cb --cpu-mask-batch                        | text   | refused                    |
-Crb --cpu-range-batch                      | text   | refused                    |
-c --ctx-size                               | int    | n_ctx                      | LLAMA_ARG_CTX_SIZE
-n --predict --n-predict                    | int    | n_predict                  | LLAMA_ARG_N_PREDICT
-b --batch-size                             | int    | n_batch                    | LLAMA_ARG_BATCH
-ub --ubatch-size                           | int    | n_ubatch                   | LLAMA_ARG_UBATCH
--keep                                      | int    | n_keep                     |
--swa-full                                  | on     | swa_full                   | LLAMA_ARG_SWA_FULL
-fa --flash-attn                            | flash  | flash_attn_type            | LLAMA_ARG_FLASH_ATTN
--perf                                      | off    | no_perf                    | LLAMA_ARG_PERF
--no-perf                                   | on     | no_perf                    |
-e --escape                                 | on     | escape                     |
--no-escape                                 | off    | escape                     |
--rope-scaling                              | rope   | rope_scaling_type          | LLAMA_ARG_ROPE_SCALING_TYPE
--rope-scale                                | inverse | rope_freq_scale           | LLAMA_ARG_ROPE_SCALE
--rope-freq-base                            | float  | rope_freq_base             | LLAMA_ARG_ROPE_FREQ_BASE
--rope-freq-scale                           | float  | rope_freq_scale            | LLAMA_ARG_ROPE_FREQ_SCALE
--yarn-orig-ctx                             | int    | yarn_orig_ctx              | LLAMA_ARG_YARN_ORIG_CTX
--yarn-ext-factor                           | float  | yarn_ext_factor            | LLAMA_ARG_YARN_EXT_FACTOR
--yarn-attn-factor                          | float  | yarn_attn_factor           | LLAMA_ARG_YARN_ATTN_FACTOR
--yarn-beta-slow                            | float  | yarn_beta_slow             | LLAMA_ARG_YARN_BETA_SLOW
--yarn-beta-fast                            | float  | yarn_beta_fast             | LLAMA_ARG_YARN_BETA_FAST
-kvo --kv-offload                           | off    | no_kv_offload              | LLAMA_ARG_KV_OFFLOAD
-nkvo --no-kv-offload                       | on     | no_kv_offload              |
--repack                                    | off    | no_extra_bufts             | LLAMA_ARG_REPACK
-nr --no-repack                             | on     | no_extra_bufts             |
--no-host                                   | on     | no_host                    | LLAMA_ARG_NO_HOST
-ctk --cache-type-k                         | type   | cache_type_k               | LLAMA_ARG_CACHE_TYPE_K
-ctv --cache-type-v                         | type   | cache_type_v               | LLAMA_ARG_CACHE_TYPE_V
-dt --defrag-thold                          | float  | ignored                    | LLAMA_ARG_DEFRAG_THOLD
--rpc                                       | text   | refused                    | LLAMA_ARG_RPC
-lm --load-mode                             | load   | load_mode                  | LLAMA_ARG_LOAD_MODE
--mlock                                     | mlock  | load_mode                  | LLAMA_ARG_MLOCK
--mmap                                      | mmap   | load_mode                  | LLAMA_ARG_MMAP
--no-mmap                                   | unmapped | load_mode                | LLAMA_ARG_NO_MMAP
-dio --direct-io                            | direct | load_mode                  | LLAMA_ARG_DIO
-lzm --lazy-mode                            | lazy   | lazy_mode                  | LLAMA_ARG_LAZY_MODE
--numa                                      | numa   | numa                       | LLAMA_ARG_NUMA
-dev --device                               | text   | refused                    | LLAMA_ARG_DEVICE
-ot --override-tensor                       | text   | tensor_buft_overrides      | LLAMA_ARG_OVERRIDE_TENSOR
-cmoe --cpu-moe                             | none   | ignored                    | LLAMA_ARG_CPU_MOE
-ncmoe --n-cpu-moe                          | int    | ignored                    | LLAMA_ARG_N_CPU_MOE
-ncffn --n-cpu-ffn                          | int    | ignored                    | LLAMA_ARG_N_CPU_FFN
--moe-cache-mib                             | int    | moe_cache_size             | LLAMA_ARG_MOE_CACHE_MIB
-ngl --gpu-layers --n-gpu-layers            | layers | n_gpu_layers               | LLAMA_ARG_N_GPU_LAYERS
-sm --split-mode                            | split  | split_mode                 | LLAMA_ARG_SPLIT_MODE
-ts --tensor-split                          | shares | tensor_split               | LLAMA_ARG_TENSOR_SPLIT
-mg --main-gpu                              | int    | main_gpu                   | LLAMA_ARG_MAIN_GPU
-fit --fit                                  | toggle | fit_params                 | LLAMA_ARG_FIT
-fitc --fit-ctx                             | int    | fit_params_min_ctx         | LLAMA_ARG_FIT_CTX
-fitt --fit-target                          | text   | refused                    | LLAMA_ARG_FIT_TARGET
--check-tensors                             | on     | check_tensors              |
--override-kv                               | text   | refused                    |
--op-offload                                | off    | no_op_offload              |
--no-op-offload                             | on     | no_op_offload              |
--lora                                      | lora   | lora_adapters              |
--lora-scaled                               | scaled | lora_adapters              |
--lora-init-without-apply                   | on     | lora_init_without_apply    |
--control-vector                            | text   | refused                    |
--control-vector-scaled                     | text   | refused                    |
-m --model                                  | text   | model.path                 | LLAMA_ARG_MODEL
-mu --model-url                             | text   | refused                    | LLAMA_ARG_MODEL_URL
-dr --docker-repo                           | text   | refused                    | LLAMA_ARG_DOCKER_REPO
-hf -hfr --hf-repo                          | text   | refused                    | LLAMA_ARG_HF_REPO
-hff --hf-file                              | text   | refused                    | LLAMA_ARG_HF_FILE
-hft --hf-token                             | text   | ignored                    |
--offline                                   | on     | offline                    | LLAMA_ARG_OFFLINE
--log-disable                               | none   | ignored                    |
--log-file                                  | text   | refused                    | LLAMA_ARG_LOG_FILE
--log-format                                | text   | ignored                    |
--log-colors                                | flash  | ignored                    | LLAMA_ARG_LOG_COLORS
--log-prefix                                | none   | ignored                    | LLAMA_ARG_LOG_PREFIX
--no-log-prefix                             | none   | ignored                    |
--log-timestamps                            | none   | ignored                    | LLAMA_ARG_LOG_TIMESTAMPS
--no-log-timestamps                         | none   | ignored                    |
--log-jsonl                                 | on     | log_json                   | LLAMA_ARG_LOG_JSONL
--no-log-jsonl                              | off    | log_json                   |
-v --verbose --log-verbose                  | loud   | verbosity                  |
-lv --verbosity --log-verbosity             | int    | verbosity                  | LLAMA_ARG_LOG_VERBOSITY
--samplers                                  | text   | sampling.samplers          |
-s --seed                                   | seed   | sampling.seed              |
--ignore-eos                                | on     | sampling.ignore_eos        |
--temp --temperature                        | float  | sampling.temp              | LLAMA_ARG_TEMPERATURE
--top-k                                     | int    | sampling.top_k             | LLAMA_ARG_TOP_K
--top-p                                     | float  | sampling.top_p             | LLAMA_ARG_TOP_P
--min-p                                     | float  | sampling.min_p             | LLAMA_ARG_MIN_P
--xtc-probability                           | float  | sampling.xtc_probability   |
--xtc-threshold                             | float  | sampling.xtc_threshold     |
--typical --typical-p                       | float  | sampling.typ_p             |
--repeat-last-n                             | int    | sampling.penalty_last_n    |
--repeat-penalty                            | float  | sampling.penalty_repeat    | LLAMA_ARG_REPEAT_PENALTY
--presence-penalty                          | float  | sampling.penalty_present   | LLAMA_ARG_PRESENCE_PENALTY
--frequency-penalty                         | float  | sampling.penalty_freq      | LLAMA_ARG_FREQUENCY_PENALTY
--dry-multiplier                            | float  | sampling.dry_multiplier    |
--dry-base                                  | float  | sampling.dry_base          |
--dry-allowed-length                        | int    | sampling.dry_allowed_length |
--dry-penalty-last-n                        | int    | sampling.dry_penalty_last_n |
--dynatemp-range                            | float  | sampling.dynatemp_range    |
--dynatemp-exp                              | float  | sampling.dynatemp_exponent |
--adaptive-target                           | float  | sampling.adaptive_target   |
--adaptive-decay                            | float  | sampling.adaptive_decay    |
--mirostat                                  | int    | sampling.mirostat          |
--mirostat-lr                               | float  | sampling.mirostat_eta      |
--mirostat-ent                              | float  | sampling.mirostat_tau      |
-bs --backend-sampling                      | on     | sampling.backend_sampling  | LLAMA_ARG_BACKEND_SAMPLING
--top-nsigma --top-n-sigma                  | float  | refused                    |
--sampler-seq --sampling-seq                | text   | refused                    |
--dry-sequence-breaker                      | text   | refused                    |
-l --logit-bias                             | text   | refused                    |
--grammar                                   | text   | refused                    |
--grammar-file                              | text   | refused                    |
-j --json-schema                            | text   | refused                    |
-jf --json-schema-file                      | text   | refused                    |
-lcs --lookup-cache-static                  | text   | speculative.ngram_cache.lookup_cache_static |
-lcd --lookup-cache-dynamic                 | text   | speculative.ngram_cache.lookup_cache_dynamic |
--kv-unified-per-slot                       | int    | kv_unified_per_slot        | LLAMA_ARG_KV_UNIFIED_PER_SLOT
-ctxcp --ctx-checkpoints --swa-checkpoints  | int    | n_ctx_checkpoints          | LLAMA_ARG_CTX_CHECKPOINTS
-cms --checkpoint-min-step                  | int    | checkpoint_min_step        | LLAMA_ARG_CHECKPOINT_MIN_SPACING_NT
-cram --cache-ram                           | int    | cache_ram_mib              | LLAMA_ARG_CACHE_RAM
-kvu --kv-unified                           | on     | kv_unified                 | LLAMA_ARG_KV_UNIFIED
-no-kvu --no-kv-unified                     | off    | kv_unified                 |
--cache-idle-slots                          | on     | cache_idle_slots           | LLAMA_ARG_CACHE_IDLE_SLOTS
--no-cache-idle-slots                       | off    | cache_idle_slots           |
--context-shift                             | on     | ctx_shift                  | LLAMA_ARG_CONTEXT_SHIFT
--no-context-shift                          | off    | ctx_shift                  |
-r --reverse-prompt                         | append | antiprompt                 |
-sp --special                               | on     | special                    |
--warmup                                    | on     | warmup                     |
--no-warmup                                 | off    | warmup                     |
--spm-infill                                | none   | refused                    |
--pooling                                   | pool   | pooling_type               | LLAMA_ARG_POOLING
--attention                                 | attend | attention_type             |
-np --parallel                              | slots  | n_parallel                 | LLAMA_ARG_N_PARALLEL
-cb --cont-batching                         | on     | cont_batching              | LLAMA_ARG_CONT_BATCHING
-nocb --no-cont-batching                    | off    | cont_batching              |
-mm --mmproj                                | text   | mmproj.path                | LLAMA_ARG_MMPROJ
-mmu --mmproj-url                           | text   | refused                    | LLAMA_ARG_MMPROJ_URL
--no-mmproj                                 | on     | no_mmproj                  |
--mmproj-offload                            | on     | mmproj_use_gpu             | LLAMA_ARG_MMPROJ_OFFLOAD
--no-mmproj-offload                         | off    | mmproj_use_gpu             |
--image-min-tokens                          | int    | image_min_tokens           | LLAMA_ARG_IMAGE_MIN_TOKENS
--image-max-tokens                          | int    | image_max_tokens           | LLAMA_ARG_IMAGE_MAX_TOKENS
-a --alias                                  | names  | model_alias                | LLAMA_ARG_ALIAS
--tags                                      | names  | model_tags                 | LLAMA_ARG_TAGS
--embd-normalize                            | int    | embd_normalize             |
--host                                      | list   | hostnames                  | LLAMA_ARG_HOST
--port                                      | int    | port                       | LLAMA_ARG_PORT
--reuse-port                                | on     | reuse_port                 | LLAMA_ARG_REUSE_PORT
--path                                      | text   | public_path                | LLAMA_ARG_STATIC_PATH
--api-prefix                                | text   | refused                    | LLAMA_ARG_API_PREFIX
--cors-origins                              | text   | cors_origins               | LLAMA_ARG_CORS_ORIGINS
--cors-methods                              | text   | cors_methods               | LLAMA_ARG_CORS_METHODS
--cors-headers                              | text   | cors_headers               | LLAMA_ARG_CORS_HEADERS
--cors-credentials                          | on     | cors_credentials           | LLAMA_ARG_CORS_CREDENTIALS
--no-cors-credentials                       | off    | cors_credentials           |
--ui --webui                                | none   | ignored                    | LLAMA_ARG_UI
--no-ui --no-webui                          | off    | ui                         |
--ui-config --webui-config                  | text   | ignored                    | LLAMA_ARG_UI_CONFIG
--ui-config-file --webui-config-file        | text   | ignored                    | LLAMA_ARG_UI_CONFIG_FILE
--tools                                     | text   | refused                    | LLAMA_ARG_TOOLS
-ag --agent                                 | none   | refused                    | LLAMA_ARG_AGENT
--mcp-servers-config                        | text   | refused                    | LLAMA_ARG_MCP_SERVERS_CONFIG
--mcp-servers-json                          | text   | refused                    | LLAMA_ARG_MCP_SERVERS_JSON
--embedding --embeddings                    | on     | embedding                  | LLAMA_ARG_EMBEDDINGS
--rerank --reranking                        | rerank | pooling_type               | LLAMA_ARG_RERANKING
--api-key                                   | list   | api_keys                   | LLAMA_API_KEY
--api-key-file                              | lines  | api_keys                   | LLAMA_ARG_API_KEY_FILE
--ssl-key-file                              | text   | refused                    | LLAMA_ARG_SSL_KEY_FILE
--ssl-cert-file                             | text   | refused                    | LLAMA_ARG_SSL_CERT_FILE
--chat-template-kwargs                      | object | default_template_kwargs    | LLAMA_ARG_CHAT_TEMPLATE_KWARGS
-to --timeout                               | int    | timeout_read timeout_write | LLAMA_ARG_TIMEOUT
--sse-ping-interval                         | int    | sse_ping_interval          | LLAMA_ARG_SSE_PING_INTERVAL
--threads-http                              | int    | n_threads_http             | LLAMA_ARG_THREADS_HTTP
--cache-prompt                              | on     | cache_prompt               | LLAMA_ARG_CACHE_PROMPT
--no-cache-prompt                           | off    | cache_prompt               |
--cache-reuse                               | int    | n_cache_reuse              | LLAMA_ARG_CACHE_REUSE
--metrics                                   | on     | endpoint_metrics           | LLAMA_ARG_ENDPOINT_METRICS
--props                                     | on     | endpoint_props             | LLAMA_ARG_ENDPOINT_PROPS
--slots                                     | on     | endpoint_slots             | LLAMA_ARG_ENDPOINT_SLOTS
--no-slots                                  | off    | endpoint_slots             |
--slot-save-path                            | text   | slot_save_path             | LLAMA_ARG_SLOT_SAVE_PATH
--media-path                                | text   | media_path                 | LLAMA_ARG_MEDIA_PATH
--models-dir                                | text   | refused                    | LLAMA_ARG_MODELS_DIR
--models-preset                             | text   | refused                    | LLAMA_ARG_MODELS_PRESET
--models-max                                | int    | refused                    | LLAMA_ARG_MODELS_MAX
--models-autoload                           | none   | refused                    | LLAMA_ARG_MODELS_AUTOLOAD
--jinja                                     | on     | use_jinja                  | LLAMA_ARG_JINJA
--no-jinja                                  | off    | use_jinja                  |
--reasoning-format                          | reason | reasoning_format           | LLAMA_ARG_THINK
-rea --reasoning                            | think  | enable_reasoning           | LLAMA_ARG_REASONING
--reasoning-budget                          | int    | sampling.reasoning_budget_tokens | LLAMA_ARG_THINK_BUDGET
--reasoning-budget-message                 | text   | sampling.reasoning_budget_message | LLAMA_ARG_THINK_BUDGET_MESSAGE
--chat-template                             | text   | chat_template              | LLAMA_ARG_CHAT_TEMPLATE
--chat-template-file                        | file   | chat_template              | LLAMA_ARG_CHAT_TEMPLATE_FILE
--skip-chat-parsing                         | on     | force_pure_content_parser  | LLAMA_ARG_SKIP_CHAT_PARSING
--no-skip-chat-parsing                      | off    | force_pure_content_parser  |
--prefill-assistant                         | on     | prefill_assistant          | LLAMA_ARG_PREFILL_ASSISTANT
--no-prefill-assistant                      | off    | prefill_assistant          |
-sps --slot-prompt-similarity               | float  | slot_prompt_similarity     |
--sleep-idle-seconds                        | int    | sleep_idle_seconds         |
--log-prompts-dir                           | text   | path_prompts_log_dir       |
-md --model-draft --spec-draft-model        | text   | speculative.draft.mparams.path | LLAMA_ARG_SPEC_DRAFT_MODEL
--draft --draft-n --draft-max --spec-draft-n-max | int | speculative.draft.n_max  | LLAMA_ARG_SPEC_DRAFT_N_MAX
--draft-min --draft-n-min --spec-draft-n-min | int   | speculative.draft.n_min    | LLAMA_ARG_SPEC_DRAFT_N_MIN
--draft-p-min --spec-draft-p-min            | float  | speculative.draft.p_min    | LLAMA_ARG_SPEC_DRAFT_P_MIN
--draft-p-split --spec-draft-p-split        | float  | speculative.draft.p_split  | LLAMA_ARG_SPEC_DRAFT_P_SPLIT
-ngld --n-gpu-layers-draft --spec-draft-ngl | layers | speculative.draft.n_gpu_layers | LLAMA_ARG_N_GPU_LAYERS_DRAFT
--spec-type                                 | text   | refused                    | LLAMA_ARG_SPEC_TYPE
"""

AUTO_SLOTS = 4
"""What llama-server takes for `--parallel -1`, its default: four slots that share the context."""
REFUSED = "refused"
IGNORED = "ignored"
SWITCHES = frozenset({"none", "on", "off", "loud", "mlock", "mmap", "unmapped", "direct", "rerank"})
"""Kinds that take no value."""
TOGGLES = ("on", "off", "auto", "1", "0", "true", "false", "enabled", "disabled")
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
CHOICES = {
    "flash": TOGGLES,
    "toggle": tuple(value for value in TOGGLES if value != "auto"),
    "think": ("on", "off", "auto"),
    "rope": ("none", "linear", "yarn"),
    "type": CACHE_TYPES,
    "load": ("auto", "none", "mmap", "mlock", "mmap+mlock", "dio"),
    "lazy": ("auto", "on", "off"),
    "numa": ("distribute", "isolate", "numactl"),
    "split": ("none", "layer", "row", "tensor"),
    "pool": ("none", "mean", "cls", "last", "rank"),
    "attend": ("causal", "non-causal"),
    "reason": ("none", "auto", "deepseek", "deepseek-legacy"),
    "bit": ("0", "1"),
}
"""Kind of value -> what may stand there."""


class Arity(enum.Enum):
    """How many values follow a flag."""

    NONE = 0
    ONE = 1
    OPTIONAL = 2
    """One, if the next token is one of the kind's choices (`-fa` alone was a switch until 2025)."""


@dataclass(frozen=True, slots=True)
class Flag:
    """A row of the table. `field` is a path into xllamacpp's CommonParams, `refused`, or `ignored` (harmless here)."""

    names: tuple[str, ...]
    kind: str
    field: str
    env: str = ""

    @property
    def name(self) -> str:
        """The spelling to show: the longest documented last."""
        return self.names[-1]

    @property
    def arity(self) -> Arity:
        if self.kind in SWITCHES:
            return Arity.NONE
        return Arity.OPTIONAL if self.kind == "flash" else Arity.ONE


def _rows() -> Iterator[Flag]:
    for line in _TABLE.strip().splitlines():
        names, kind, field, env = (*(part.strip() for part in line.split("|")), "")[:4]
        yield Flag(tuple(names.split()), kind, field, env)


FLAGS: tuple[Flag, ...] = tuple(_rows())
BY_NAME = {name: flag for flag in FLAGS for name in flag.names}


@dataclass(frozen=True, slots=True)
class Given:
    """One flag of a command line: where its first token stands, how it was written, its values and table row.

    `flag` is None for an unknown flag, and for a word that belongs to none (then `name` is that word).
    """

    index: int
    name: str
    values: tuple[str, ...] = ()
    flag: Flag | None = None

    @property
    def tokens(self) -> tuple[str, ...]:
        """As llama-server reads it: name and values apart."""
        return (self.name, *self.values)


def spelled(token: str) -> tuple[str, str | None]:
    """A token as flag name and attached value; llama-server reads `_` in long flags as `-`."""
    name, equals, value = token.partition("=")
    if name.startswith("--"):
        name = name.replace("_", "-")
    return name, value if equals else None


def read(args: Sequence[str]) -> tuple[Given, ...]:
    """A command line without its program, flag by flag; never fails, all tokens are in the result."""
    found: list[Given] = []
    index = 0
    while index < len(args):
        given = _one(args, index)
        found.append(given)
        index += 1 + len(given.values) - (_attached(args[index]) is not None)
    return tuple(found)


def _attached(token: str) -> str | None:
    return spelled(token)[1] if token.startswith("-") else None


def _one(args: Sequence[str], index: int) -> Given:
    if not args[index].startswith("-"):
        return Given(index, args[index])
    name, attached = spelled(args[index])
    flag = BY_NAME.get(name)
    if attached is not None:
        return Given(index, name, (attached,), flag)
    return Given(index, name, tuple(args[index + 1 : index + 2]) if _takes_next(flag, args, index) else (), flag)


def _takes_next(flag: Flag | None, args: Sequence[str], index: int) -> bool:
    following = args[index + 1] if index + 1 < len(args) else None
    if following is None:
        return False
    if flag is None:
        return not following.startswith("-")
    match flag.arity:
        case Arity.NONE:
            return False
        case Arity.OPTIONAL:
            return following in CHOICES[flag.kind]
        case Arity.ONE:
            return spelled(following)[0] not in BY_NAME
