package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// profiled runs the program, and writes where its processor time went to a file of its own in the
// folder that BENCH_PROFILE names.
func profiled(run func() int) int {
	file, err := os.CreateTemp(os.Getenv("BENCH_PROFILE"), "*.pprof")
	if err == nil {
		err = pprof.StartCPUProfile(file)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "profiling:", err)
		return exitFailed
	}
	defer file.Close()
	defer pprof.StopCPUProfile()
	return run()
}
