// Command mkt-local is the embedded stack that `mkt -local` works against. mkt starts and stops it; nobody else needs to.
package main

import (
	"os"

	"mkt/local/embedded"
)

func main() { os.Exit(embedded.Main(os.Args[1:])) }
