// Package examples holds the stack that ships, for `mkt init` to write. It knows nothing of mkt.
package examples

import "embed"

// Files are the stack and its schema, by their paths in this directory; the rows are not among them.
//
//go:embed stack.hcl data/market_data.avsc
var Files embed.FS
