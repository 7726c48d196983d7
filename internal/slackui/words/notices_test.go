package words

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/billed"
	"cancel-server/internal/cancellation"
	"cancel-server/internal/reconcile"
	"cancel-server/internal/report"
	"cancel-server/internal/slackui/slacktest"
)

// monthOf is the report of November over some requests that ended then and left nothing behind.
func monthOf(gone ...cancellation.Request) *report.Report {
	return monthThatLeft(nil, gone...)
}

// monthThatLeft is monthOf of requests of which the first left this behind.
func monthThatLeft(left []*billed.Stays, gone ...cancellation.Request) *report.Report {
	month, _ := report.ParseMonth("2026-11")
	r := report.New(month, slacktest.Noon, false)
	for i, one := range gone {
		r.AddRequested(one)
		behind := &billed.Stays{}
		if i < len(left) {
			behind = left[i]
		}
		r.AddGone(one, behind)
	}
	return r
}

// goneWith is a request whose server is gone, with a price and tags.
func goneWith(price string, tags ...string) cancellation.Request {
	return slacktest.Request(cancellation.Reclaimed, today, func(r *cancellation.Request) {
		r.Submission.Card.Server.Billing.MonthlyTotal, r.Submission.Card.Server.Tags = price, tags
	})
}

func elsewhereBy(user string, servers ...string) reconcile.Cancellation {
	c := reconcile.Cancellation{
		ID: 1, Made: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), User: user,
		Ticket: cancellation.TicketID{ID: 153572280}, Items: []int64{77},
	}
	for i, name := range servers {
		c.Servers = append(c.Servers, reconcile.Server{ID: int64(i), Name: name})
	}
	return c
}

// checkpointNote is what bot audit checkpoint prints.
const checkpointNote = `cancel-server/1f2e3d4c5b6a7988/1
1234567
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— cancel-server Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
`

// goldenBulletins is what the report channel gets.
func goldenBulletins() map[string]Message {
	late := goneWith("1412.50", "staging")
	late.Shows = "2027-01-01T00:00:00-06:00"
	tagged := goneWith("14000", "a", "b", "c", "d", "e", "f", "g")
	hidden := elsewhereBy("")
	hidden.Ticket = cancellation.TicketID{}
	var eleven []reconcile.Cancellation
	for i := range 10 {
		eleven = append(eleven, elsewhereBy("jdoe", fmt.Sprintf("web-%03d.example.com", i)))
	}
	w := testWords()
	return map[string]Message{
		"month":            w.Bulletin(monthOf(late, tagged, goneWith("")), nil, 0),
		"month-left":       w.Bulletin(monthThatLeft([]*billed.Stays{{Items: []billed.Item{{Kind: billed.Volume, ID: 1, Fee: "98.00"}, {Kind: billed.Subnet, ID: 2}}}, nil}, late, tagged), nil, 0),
		"month-unread":     w.Bulletin(monthThatLeft([]*billed.Stays{nil}, late), nil, 0),
		"month-one":        w.Bulletin(monthOf(goneWith("412.50")), nil, 0),
		"month-nothing":    w.Bulletin(monthOf(), nil, 0),
		"elsewhere":        w.Bulletin(nil, []reconcile.Cancellation{elsewhereBy("jdoe", "db-042.stg.example.com")}, 1),
		"elsewhere-many":   w.Bulletin(nil, eleven, 25),
		"checkpoint":       WithCheckpoint(w.Bulletin(nil, nil, 0), checkpointNote),
		"checkpoint-month": WithCheckpoint(w.Bulletin(monthOf(goneWith("412.50")), nil, 0), checkpointNote),
		"elsewhere-odd":    w.Bulletin(nil, []reconcile.Cancellation{hidden, elsewhereBy("jdoe", "a", "b", "c", "d")}, 2),
		"month-elsewhere":  w.Bulletin(monthOf(goneWith("412.50")), []reconcile.Cancellation{elsewhereBy("jdoe", "db-042.stg.example.com")}, 1),
	}
}

func TestSlackTakesEveryBulletin(t *testing.T) {
	t.Parallel()
	judge := slacktest.NewJudge(t)
	for name, m := range goldenBulletins() {
		assert.NoError(t, judge.Post(m.Text, m.Blocks), name)
	}
}

func TestABulletinMentionsNobody(t *testing.T) {
	t.Parallel()
	foreign := "<!channel> <@U123> *x* 10.1.2.3"
	m := testWords().Bulletin(monthOf(goneWith("412.50", foreign)), []reconcile.Cancellation{elsewhereBy(foreign, foreign)}, 1)
	assert.NotContains(t, m.Text, "<!channel>")
	assert.NotContains(t, m.Text, "<@U123>")
	assert.Equal(t, 1, strings.Count(m.Text, "10.1.2.3"), "only in the server's own name: %s", m.Text)
}

func TestTheLongestBulletinIsTaken(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä<&", 500)
	many := make([]reconcile.Cancellation, 10)
	for i := range many {
		many[i] = elsewhereBy(long, long, long, long, long)
	}
	var gone []cancellation.Request
	for i := range 20 {
		gone = append(gone, goneWith("412.50", fmt.Sprint(i, long)))
	}
	m := testWords().Bulletin(monthOf(gone...), many, 1_000_000)
	assert.NoError(t, slacktest.NewJudge(t).Post(m.Text, m.Blocks))
}
