package closing

import (
	"context"
	"slices"
	"strings"

	"cancel-server/internal/authz"
)

// viewer decides what one person may do with servers. A policy tells few kinds of servers apart, so it
// is asked once for each kind: by data center, by the tags that its rules compare, and by the servers
// that they name. Only if the answer depends on more, and a rule reads names or costs, it is asked again
// for each kind of name and each cost.
type viewer struct {
	ctx    context.Context // ends when there is no more time to decide
	policy *authz.Policy
	who    authz.Principal

	tags       []string                  // that the rules compare, in lower case, sorted
	servers    []int64                   // that the rules name, sorted
	nameKind   func(authz.Server) string // tells names apart as the rules do; nil: no rule reads names
	costs      bool                      // the rules read costs
	asked      map[kind]authz.Prospects
	askedAgain map[kind]sight
	kindOf     map[int]string // the compared tags of each set of tags
}

// Askable returns a function that decides, until ctx ends, whether one person may ask for a server: also if that depends
// on what a request would state, or on its cost. It is not safe for concurrent use.
func Askable(ctx context.Context, policy *authz.Policy, who authz.Principal) func(Server) (may, decided bool) {
	v := newViewer(ctx, policy, who)
	return func(s Server) (may, decided bool) {
		seen := v.sees(s, nil)
		return seen.ask, !seen.undecided
	}
}

// kind is what a policy tells servers apart by. The last three are empty the first time that it is asked.
type kind struct {
	datacenter string
	tags       string // those that are compared, and whether there are others
	id         int64  // of a server that a rule names; else 0

	name   string
	cost   Cost
	priced bool
}

func newViewer(ctx context.Context, policy *authz.Policy, who authz.Principal) *viewer {
	v := viewer{
		ctx: ctx, policy: policy, who: who,
		asked: map[kind]authz.Prospects{}, askedAgain: map[kind]sight{}, kindOf: map[int]string{},
	}
	v.tags, v.servers = policy.Compared()
	v.nameKind, v.costs = policy.NameKind(), policy.ReadsCosts()
	return &v
}

// sees decides what the person may do with a server of which no more than this is known: also if it
// depends on what a request would state.
func (v *viewer) sees(s Server, cost *Cost) sight {
	k := kind{datacenter: s.Datacenter, tags: v.compared(s)}
	if _, named := slices.BinarySearch(v.servers, s.ID); named {
		k.id = s.ID
	}
	may, known := v.asked[k]
	if !known {
		if v.ctx.Err() != nil {
			return sight{undecided: true}
		}
		may = v.policy.ProspectsIn(v.who, v.resource(s, nil))
		v.asked[k] = may
	}
	if may.Request.May != authz.Depends && may.Approve.May != authz.Depends || v.nameKind == nil && (!v.costs || cost == nil) {
		return sightOf(may)
	}
	return v.seesThis(k, s, cost)
}

// seesThis decides by the server's names too, and by its cost if that was read.
func (v *viewer) seesThis(k kind, s Server, cost *Cost) sight {
	resource := v.resource(s, cost)
	if v.nameKind != nil {
		k.name = v.nameKind(resource)
	}
	if v.costs && cost != nil {
		k.cost, k.priced = Cost{Fee: cost.Fee, Hourly: cost.Hourly}, true
	}
	seen, known := v.askedAgain[k]
	if !known {
		if v.ctx.Err() != nil {
			return sight{undecided: true}
		}
		seen = sightOf(v.policy.ProspectsListed(v.who, resource, cost != nil))
		v.askedAgain[k] = seen
	}
	return seen
}

func sightOf(may authz.Prospects) sight {
	return sight{ask: may.Request.May != authz.No, approve: may.Approve.May != authz.No}
}

// other stands for all tags that no rule compares.
const other = "\x00"

// compared are the tags of a server that the policy can tell from others.
func (v *viewer) compared(s Server) string {
	text, known := v.kindOf[s.Tagset]
	if known {
		return text
	}
	text = strings.Join(v.comparedTags(s), "\x01")
	if s.Tagset != NoTagset {
		v.kindOf[s.Tagset] = text
	}
	return text
}

func (v *viewer) comparedTags(s Server) []string {
	var tags []string
	for _, tag := range s.Tags {
		tag = strings.ToLower(tag)
		if _, is := slices.BinarySearch(v.tags, tag); !is {
			tag = other
		}
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

// resource is the server for the policy.
func (v *viewer) resource(s Server, cost *Cost) authz.Server {
	domain, follows := strings.CutPrefix(s.FQDN, s.Hostname+".")
	if !follows {
		domain = ""
	}
	r := authz.Server{
		ID: s.ID, Hostname: s.Hostname, Domain: domain, FQDN: s.FQDN, Datacenter: s.Datacenter, Tags: v.comparedTags(s), TagsKnown: true,
	}
	if cost != nil {
		r.MonthlyFee, r.Hourly = cost.Fee, cost.Hourly
	}
	return r
}
