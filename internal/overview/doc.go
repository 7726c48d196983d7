// Package overview says where requests stand, for one person: which requests they see, how much of each,
// and why. It shows nothing that it could not decide, and reads only what is bounded.
package overview
