//go:build unix && race

package main

// waiting is less under the race detector, where what computes takes several times as long:
// many of these tests hold the bot to seconds.
const waiting = "10"
