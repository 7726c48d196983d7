package cancellation

import (
	"context"
	"fmt"
	"slices"
)

// mostAsked limits how many people are asked by direct message about a request whose card can be
// in no channel. If the request needs more approvals than that, as many people are asked.
const mostAsked = 5

// asker asks people for an approval if no channel shows them the request.
type asker struct {
	notices Notices
	clock   Clock
	policy  authority
	notify  func() // rings the Notifier
}

func (f *Filer) asker() asker { return asker{f.Notices, f.Clock, f.authority(), f.Notifier.Wake} }

func (n *Notifier) asker() asker {
	return asker{n.Notices, n.Clock, authority{n.Policy(), n.Directory}, n.Wake}
}

// askWithoutCard calls askDirectly for a request that only its requester sees, unless a card is
// owed to the operators' channel. That card asks; if Slack refuses it, people are asked directly.
func (a asker) askWithoutCard(ctx context.Context, r Request) error {
	notices, err := a.notices.Notices(ctx, r.ID)
	if err != nil || slices.ContainsFunc(notices, func(n Notice) bool { return n.Kind == ApprovalCard }) {
		return err
	}
	return a.askDirectly(ctx, r)
}

// askDirectly owes a card by direct message to some people who could approve, unless a channel
// shows them the request. If there is nobody, it tells the requester.
func (a asker) askDirectly(ctx context.Context, r Request) error {
	notices, err := a.notices.Notices(ctx, r.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(notices, Notice.asks) {
		return nil
	}
	asked, err := a.toAsk(ctx, r)
	if err != nil {
		return fmt.Errorf("finding whom to ask about %s: %w", r.Ref.Short(), err)
	}
	if len(asked) == 0 {
		asked = []string{r.Submission.By.ID}
	}
	for _, user := range asked {
		if err := a.owePerson(ctx, r, user); err != nil {
			return err
		}
	}
	return nil
}

func (a asker) owePerson(ctx context.Context, r Request, user string) error {
	_, err := a.notices.Owe(ctx, r.ID, Direct(user), Place{})
	a.notify()
	return err
}

// toAsk returns the users to ask: those who could approve, without guests, bots, strangers and
// deactivated accounts.
func (a asker) toAsk(ctx context.Context, r Request) ([]string, error) {
	now, err := a.clock.Now(ctx)
	if err != nil {
		return nil, err
	}
	requester, err := a.policy.person(ctx, r.Submission.By, MaxPrincipalAge)
	if err != nil {
		return nil, err
	}
	who, _, err := a.policy.approvers(ctx, r, requester, now)
	if err != nil {
		return nil, err
	}
	var users []string
	for _, candidate := range who {
		if len(users) == max(mostAsked, r.Decision.Approvals) {
			break
		}
		p, err := a.policy.person(ctx, Person{Team: candidate.Team, ID: candidate.User}, MaxPrincipalAge)
		if err != nil {
			return nil, err
		}
		if !p.Guest && !p.Bot && !p.Deactivated && !p.Stranger {
			users = append(users, candidate.User)
		}
	}
	return users, nil
}
