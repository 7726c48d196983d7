package authz_test

import (
	"fmt"

	"cancel-server/internal/authz"
	"cancel-server/internal/slackui/words"
)

func Example() {
	policy, err := authz.Parse("policy.cedar", []byte(`
		@id("ops-may-ask")
		permit (principal in Group::"S0OPS", action == Action::"request", resource);

		@id("staging-is-easy")
		permit (principal in Group::"S0OPS", action == Action::"cancel", resource)
		when { resource.tags.contains("staging") };

		@id("prod-data-team")
		@reason("servers tagged prod are cancelled by the data team only.")
		forbid (principal, action, resource)
		when { resource.tags.contains("prod") };
	`))
	if err != nil {
		fmt.Println(err)
		return
	}
	ana := authz.Principal{Team: "T0123", User: "U0ANA", Groups: []string{"S0OPS"}, GroupsKnown: true}
	context := authz.Context{Channel: "C0123", Account: "123456", StatedReason: "No longer needed", WarningsKnown: true}
	server := authz.Server{ID: 1234567, Hostname: "db-042", FQDN: "db-042.example.com", Datacenter: "fra02", TagsKnown: true}

	for _, tags := range [][]string{{"staging"}, {}, {"prod"}} {
		server.Tags = tags
		d := policy.Decide(ana, server, context)
		fmt.Printf("%v, approvals %d, by %s: %q\n", d.Effect, d.Approvals, d.Rule, words.DecisionWords(d))
	}
	// Output:
	// allowed, approvals 0, by staging-is-easy: ""
	// needs approval, approvals 1, by ops-may-ask: "the policy asks for the approval of one other person."
	// refused, approvals 0, by prod-data-team: "servers tagged prod are cancelled by the data team only."
}
