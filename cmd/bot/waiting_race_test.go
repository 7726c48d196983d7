//go:build unix && race

package main

// perProcessor is how many tests run at once on each processor: fewer under the race
// detector, where what computes takes several times as long.
const perProcessor = 3
