package words

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/review"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/slacktest"
)

func TestTooManyQueriesAreRefused(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	for n := range mostQueries + 1 {
		list, err := serverlist.Parse(text.String() + "web-1")
		require.NoError(t, err)
		assert.Empty(t, ListProblem(list, nil, 50, 50), "%d queries", len(list.Queries))
		fmt.Fprintf(&text, "tag:t%d\n", n)
	}
	list, err := serverlist.Parse(text.String() + "web-1")
	require.NoError(t, err)
	assert.Equal(t, "21 queries (tag:, dc:, pod: and closing:) are too many: one form takes 20.", ListProblem(list, nil, 50, 50))
}

func TestReviewOfAllQueriesFitsSlack(t *testing.T) {
	t.Parallel()
	_, requests := aBatch(make([]cancellation.State, 50)...)
	v := aReview(requests)
	found := serverlist.Resolved{Untagged: true, Undecided: 1, Of: 99, Shown: 50}
	for n := range mostQueries {
		matches := serverlist.Matches{
			Query:   serverlist.Query{Word: serverlist.Tag, Name: strings.Repeat("é", 250) + fmt.Sprint(n)},
			Servers: 1000, Held: 500, Unsure: 100,
		}
		for pod := range 3 {
			matches.Shared = append(matches.Shared, serverlist.Sharing{Pod: fmt.Sprintf("dal%02d.pod%02d", n, pod), Others: []string{strings.Repeat("dal10.pod01", 30)}})
		}
		found.Queries = append(found.Queries, matches)
	}
	v.Rows, v.Review.Left = nil, nil
	for n, r := range requests {
		row := review.Row{Verdict: cancellation.RowVerdict{Card: r.Submission.Card}}
		row.Named = serverlist.Row{State: serverlist.Found, Server: serverlist.Server{ID: r.Submission.Card.Server.ID}}
		v.Rows = append(v.Rows, row)
		v.Review.Left = append(v.Review.Left, review.Row{Named: serverlist.Row{Entry: serverlist.Entry{Text: strings.Repeat("é", 255)}}, Why: review.Unread})
		if n%4 == 0 { // as many groups as there are, and more
			found.Groups = append(found.Groups, serverlist.Group{Name: fmt.Sprint(n)})
		}
		last := &found.Groups[len(found.Groups)-1]
		last.Servers = append(last.Servers, row.Named.Server)
		if n%4 > 1 { // the groups have two left
			v.Rows[n].Verdict.Card.Server.Gateway, v.Rows[n].Warnings = true, []string{cancellation.WarningGateway}
		}
	}
	v.List, v.Notes = found, ListNotes(serverlist.List{}, found)
	_, err := slacktest.NewJudge(t).Open(testWords().ReviewForm(v, "sealed"))
	require.NoError(t, err, "Slack takes a review with as many queries as one form takes")
}
