//go:build unix && !race

package main

// perProcessor is how many tests run at once on each processor. They mostly wait, for
// other processes and for timeouts.
const perProcessor = 8
