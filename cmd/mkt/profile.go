//go:build profile

package main

import (
	"os"
	"runtime/pprof"
)

// profiled runs a command line and writes a CPU profile of it into a new file of the directory MKT_PROFILES, for `make pgo`.
func profiled(args []string) int {
	f, err := os.CreateTemp(os.Getenv("MKT_PROFILES"), "*.pprof")
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		panic(err)
	}
	defer func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			panic(err)
		}
	}()
	return run(args)
}

func init() { command = profiled }
