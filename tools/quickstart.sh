#!/usr/bin/env bash
# The main job in one go: check, plan and bring up examples/quickstart.yaml, ask it one question, say how to stop.
# Run by `make quickstart`, which has installed everything and put `bandari` on PATH.
set -euo pipefail
file="examples/quickstart.yaml"
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

say "\$ bandari check -f $file"
bandari check -f "$file"

say "\$ bandari up -f $file --yes"
bandari up -f "$file" --yes

say "One question through the gateway:"
url="$(bandari endpoints -f "$file" --json | python -c 'import json, sys; print(json.load(sys.stdin)["endpoints"][0]["url"])')"
question='{"model": "chat", "max_tokens": 24, "messages": [{"role": "user", "content": "What is a harbour?"}]}'
echo "\$ curl $url/chat/completions -d '$question'"
python - "$url/chat/completions" "$question" <<'PYTHON'
import json
import sys
import urllib.request

request = urllib.request.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
with urllib.request.urlopen(request, timeout=60) as answer:
    print("answer:", json.load(answer)["choices"][0]["message"]["content"].strip())
PYTHON
echo "(the built-in model is random words by design: it shows the road, not wit)"

say "It runs on:"
echo "endpoint: $url   model: chat"
echo "look:     .venv/bin/bandari status"
echo "stop:     .venv/bin/bandari down --cluster quickstart --yes"
