#!/usr/bin/env bash
# The main job from nothing, on the embedded stack: plan, apply, stream, query, audit, and a plan that finds nothing to do.
# With MKT_LOCAL=0 it is done on the systems that the environment names, which have to have nothing of it yet.
# Usage: demo.sh PATH-OF-MKT
set -euo pipefail
mkt=$(realpath "$1")
cd "$(dirname "$0")"
export MKT_LOCAL=${MKT_LOCAL:-1} MKT_STACK=stack.hcl

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

run() {
  printf '\n%s$ mkt %s%s\n' "$bold" "$*" "$plain"
  "$mkt" "$@"
}

if [ "$MKT_LOCAL" = 1 ]; then
  "$mkt" local reset
  trap '"$mkt" local stop' EXIT
fi
run validate
run plan
run apply -auto-approve
run stream
run query coverage
run query volatility
run query drawdown
run status
run plan -detailed-exitcode # exit 2, and the end of the demo, if anything were left to do
run audit
