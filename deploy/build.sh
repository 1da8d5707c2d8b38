#!/usr/bin/env bash
# Runs the build commands of the Dockerfile's first stage here, without Docker, and checks what its second stage stands on:
# the binary asks for no library that the image has not, and runs without a home, as another user would run it.
# Usage: build.sh OUTPUT
set -euo pipefail
out=$(realpath -m "$1")
cd "$(dirname "$0")/.."

# Each RUN of the first stage, with its output where it was asked for.
grep -E '^RUN ' deploy/Dockerfile | sed -e 's/^RUN //' -e "s|/out/mkt|$out|" | while IFS= read -r command; do
  echo "+ $command"
  VERSION=${VERSION:-dev} bash -euo pipefail -c "$command"
done

# gcr.io/distroless/base-debian12 has glibc, and neither libgcc nor libstdc++ (GoogleContainerTools/distroless: base/README.md).
if needs=$(ldd "$out" | awk '{print $1}' | grep -vE '^(linux-vdso|libc|libm|libdl|libpthread|librt|/lib.*/ld-linux)'); then
  echo "the image lacks: $needs" >&2
  exit 1
fi
# Debian 12 has glibc 2.36.
newest() { grep -aoE "$1_[0-9.]+" "$out" | sort -uV | tail -n 1; }
limit=GLIBC_2.36 found=$(newest GLIBC)
if [ "$(printf '%s\n%s\n' "$found" "$limit" | sort -V | tail -n 1)" != "$limit" ]; then
  echo "Note: built here the binary wants $found, and the image has $limit; built in golang:1.26-bookworm it does not." >&2
fi
env -i "$out" version
