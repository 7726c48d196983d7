//go:build unix && testclock

package main

import (
	"os"
	"time"
)

// clockShift is what the tests' SoftLayer and the bot add to the host's time.
var clockShift, _ = time.ParseDuration(os.Getenv("TEST_CLOCK_SHIFT")) // the store refuses a wrong one
