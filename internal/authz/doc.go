// Package authz answers one question: may this person have this server cancelled, or approve that
// somebody else does?
//
// The answer comes from a policy written in Cedar (https://docs.cedarpolicy.com) and from a few
// refusals that no policy can lift. Deciding does no I/O, reads no clock and no environment, and a
// [Policy] never changes once it is loaded, so any number of goroutines may share one.
//
// # Words
//
// schema.cedarschema is the vocabulary that a policy may use. Three actions exist:
//
//   - request: may ask for a cancellation.
//   - cancel: may have it filed without approval; it needs request as well. A matching forbid
//     refuses; only the absence of a permit means that somebody else has to approve.
//   - approve: may approve other people's requests, in each request's own context. Nobody approves
//     their own, whatever the policy says.
//
// Four annotations mean something: @id names a rule and is required; @reason is what a person
// reads when the rule refuses them; @approvals("2") on a permit for request is the number of
// approvals asked for (1 to 9, 1 without it, the highest of the deciding rules); @notify("ping") on a
// permit for approve wants the groups that it names notified of each request that it applies to.
//
// # What is never allowed
//
// Everything is denied until a rule permits it. cedar-go skips a forbid whose evaluation fails and
// may then answer "allow", so here any evaluation or validation error refuses, and a value that
// could not be read refuses too. The zero [Decision] is a refusal.
package authz
