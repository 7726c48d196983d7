//go:build unix && !race

package main

// waiting is how many tests run at once: nearly all of them wait, for other processes and
// for timeouts, and few compute.
const waiting = "20"
