# Installs what the checks need from public registries, for the scripts that source this. Each thing is installed once for
# each set of pins below the user's cache folder, so that a fresh clone finds it there, and never into the system. What is
# downloaded is held to a checksum of this repository; a download that fails is tried again, each time after a longer wait.
#
# MKT_TEST_CACHE  where, by default mkt-test in $XDG_CACHE_HOME or ~/.cache

[ -n "${HOME:-}" ] || { HOME=$PWD/bin/home && mkdir -p "$HOME" && export HOME; } # clients of registries want one
readonly cache=${MKT_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/mkt-test}

groups=() # of processes that stop kills
stop_groups() {
  local g
  for g in "${groups[@]}"; do kill -KILL -- "-$g" 2>/dev/null || true; done # what they hold is thrown away
  wait 2>/dev/null || true
}

say() { printf '\033[1m%s\033[0m\n' "$script: $*" >&2; }

# need COMMANDS...: fails, and says so, if one of them is not on this machine.
need() {
  local c lacking=0
  for c in "$@"; do command -v "$c" >/dev/null || { say "no $c on this machine"; lacking=1; }; done
  return $lacking
}

# install THING BUILD PINS...: has the function BUILD fill a directory that is its argument, unless that was done for these
# files already. The directory is in $at afterwards, the output of BUILD in $logs.
install() {
  local thing=$1 build=$2 lock try wait
  shift 2
  at=$cache/$thing-$({ cat "$@" && declare -f "$build"; } | sha256sum | head -c 16)
  mkdir -p "$cache"
  exec {lock}>"$cache/$thing.lock"
  flock "$lock" # another checkout may be at it
  for try in 1 2 3 4; do
    [ -e "$at/.complete" ] && break
    say "installing $thing into $at$( ((try == 1)) || echo ", try $try")"
    rm -rf "$at" && mkdir -p "$at"
    # In a shell of its own that stops at the first failure, which one in a condition would not.
    declare -fx "$build"
    # In the background, since a signal is heard only by a shell that waits.
    setsid nice timeout --foreground 900 bash -euo pipefail -c "$build \"\$1\"" _ "$at" >"$logs/install-$thing.log" 2>&1 {lock}>&- 9>&- &
    groups+=($!)
    if wait $!; then
      touch "$at/.complete"
    elif ((try < 4)); then
      wait=$((5 * 3 ** (try - 1) + RANDOM % 5))
      say "$thing: $(tail -1 "$logs/install-$thing.log" | cut -c1-200); again in $wait s"
      sleep $wait
    fi
  done
  exec {lock}>&-
  [ -e "$at/.complete" ] || { say "$thing cannot be installed; see $logs/install-$thing.log"; return 1; }
}

# jars DIR POM SUMS: what a POM depends on, and nothing else. A client of Maven remembers what failed: -U asks again.
jars() {
  mvn -q -B -U -f "$2" dependency:copy-dependencies -DoutputDirectory="$1"
  cd "$1"
  sha256sum --quiet --strict -c "$3"
  [ "$(ls ./*.jar | wc -l)" = "$(wc -l <"$3")" ] || { echo "more jars than $3 knows"; exit 1; }
}

# wheels DIR REQUIREMENTS: an environment of Python's packages in DIR, by their hashes.
wheels() {
  python3 -m venv "$1"
  "$1/bin/pip" install -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r "$2"
}

# modules DIR FOLDER: what FOLDER's package-lock.json has, and $DIR/node.
modules() {
  cp "$2"/package*.json "$1"
  cd "$1"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
  ln -s node_modules/node-*/bin/node node
  ./node --version
}
export -f jars wheels modules
