#!/usr/bin/env bash
# Builds OpenTofu and the Mongey Kafka provider from the Go module proxy into the directory given, pinned and checked against the
# checksum database. OpenTofu's go.mod has replace lines, which `go install` refuses: so its requirements are copied into a module
# that only builds it. The provider is the newest version that the proxy has.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
tofu=v1.12.6 mongey=v0.8.1
go=${GO:-go}

wrap() { # module, version, package, binary
	[ -x "$out/$4" ] && return
	echo "building $1@$2 …" >&2
	local work
	work=$(mktemp -d)
	local dir
	dir=$(cd "$work" && "$go" mod download -json "$1@$2" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
	# The module's own requirements, without its tools and its name.
	sed -e '1,/^module /s/^module .*/module peer/' -e '/^tool (/,/^)/d' -e '/^tool /d' "$dir/go.mod" >"$work/go.mod"
	[ ! -f "$dir/go.sum" ] || cat "$dir/go.sum" >"$work/go.sum"
	(cd "$work" && "$go" mod edit -require "$1@$2" && "$go" build -mod=mod -o "$out/$4" "$3")
	chmod -R u+w "$work" && rm -rf "$work"
}

wrap github.com/opentofu/opentofu "$tofu" github.com/opentofu/opentofu/cmd/tofu tofu
wrap github.com/Mongey/terraform-provider-kafka "$mongey" github.com/Mongey/terraform-provider-kafka terraform-provider-kafka
