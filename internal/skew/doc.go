// Package skew tells how far this host's clock is from another host's, by the Date of that host's
// answers.
package skew
