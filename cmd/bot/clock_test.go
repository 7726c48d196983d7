//go:build unix && !testclock

package main

import "time"

// clockShift is what the tests' SoftLayer, and a bot that is built for tests at other dates,
// add to the host's time.
const clockShift time.Duration = 0
