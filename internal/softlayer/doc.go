// Package softlayer reads servers and tickets from SoftLayer (IBM Cloud Classic
// Infrastructure) over its REST API, and files cancel-server tickets there.
//
// Every call goes through one method, do: HTTP Basic over https, a deadline, a rate
// limit, a bounded answer, no redirect, no repetition. SoftLayer answers most errors
// with status 500 and some with 200 (https://sldn.softlayer.com/article/exception-handling-softlayer-api/),
// so an answer is judged by its body first and by its status second, in answer.go.
//
// The one call that cannot be undone is [Writer.CreateCancelServerTicket]. It goes out once, on a
// connection of its own, and its error says which of three things is so: SoftLayer refused for
// certain, nothing was sent for certain ([ErrNotSent]), or nobody knows ([ErrAnswerLost]).
// [Writer.RequestCancellation] returns the same in the domain's words.
//
// Nobody has published a recorded answer of that method. What is read here follows the vendor's
// page and the answers of similar methods.
package softlayer
