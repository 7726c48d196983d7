// Package reconcile compares the cancellations that SoftLayer shows with those that are recorded
// here. It does no I/O, and says nothing of what neither shows.
package reconcile
