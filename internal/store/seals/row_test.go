package seals_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/audit"
	"cancel-server/internal/cancellation"
)

// submitted records a request as the desk does, and returns its short reference.
func (w *world) submitted() (id, ref string) {
	w.t.Helper()
	w.servers++
	got, err := w.store.Record(w.t.Context(), cancellation.Record{
		Request: cancellation.Request{
			ID: fmt.Sprintf("s%02d", w.servers), Ref: cancellation.NewReference(), State: cancellation.Scheduled,
			Submission: cancellation.Submission{
				Installation: "T0", View: "V0", By: cancellation.Person{Team: "T0", ID: "U0ANA", Name: "Ana"},
				Place:  cancellation.Place{Channel: "C0OPS", ChannelName: "ops", Thread: "1764.1"},
				Card:   cancellation.Card{Server: cancellation.Server{ID: w.servers, FQDN: "web.example.com"}},
				Reason: "No longer needed", Content: "Replaced by web2.", Confirmation: "web",
			},
		},
		Quota: cancellation.Quota{Requester: "T0/U0ANA"},
		Event: cancellation.Event{Kind: cancellation.EventSubmitted, Actor: "T0/U0ANA", Detail: `{"Rule":"ops-cancel"}`},
	})
	require.NoError(w.t, err)
	return got.Request.ID, got.Request.Ref.Short()
}

func TestAChangedRowOfARequestIsNamed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.submitted()
		id, ref := w.submitted()
		w.seals()
		saved := w.head()
		reading := w.reading()
		r, said := verified(t, reading, &saved)
		require.True(t, r.Good(), said)
		assert.Zero(t, r.Unheld)
		w.does(`create table kept_requests as select * from requests`)
		in := func(was, is string) string {
			return fmt.Sprintf(`update requests set submission = replace(submission, '%s', '%s') where id = '%s'`, was, is, id)
		}
		column := func(set string) string { return fmt.Sprintf(`update requests set %s where id = '%s'`, set, id) }
		blank := []string{
			in(`"Team":"T0","ID":"U0ANA","Name":"Ana"`, `"Team":"","ID":"","Name":""`), in(`"View":"V0"`, `"View":""`), in(`"C0OPS"`, `""`), in(`"ops"`, `""`),
			in(`"1764.1"`, `""`), in(`"Replaced by web2."`, `""`), in(`"Confirmation":"web"`, `"Confirmation":""`), column(`requester = ''`), column(`salt = null`),
		}
		for says, c := range map[string]struct {
			does []string
			want string // "" if it is as it was
		}{
			"the server":                       {[]string{column(`server_id = 77`)}, `server "77" instead of "2".`},
			"the server on the card":           {[]string{in(`"ID":2,`, `"ID":77,`)}, `server on the card "77" instead of "2".`},
			"the server in both":               {[]string{column(`server_id = 77`), in(`"ID":2,`, `"ID":77,`)}, `server "77" instead of "2", server on the card "77" instead of "2".`},
			"the reason":                       {[]string{in(`No longer needed`, `Other`)}, `reason "Other" instead of "No longer needed".`},
			"the associated items":             {[]string{in(`"Associated":false`, `"Associated":true`)}, `associated items "true" instead of "false".`},
			"the short reference":              {[]string{column(`short_ref = 'AAAA-AAAA'`)}, `reference "AAAA-AAAA" instead of "` + ref + `".`},
			"the whole reference":              {[]string{column(`ref = ref || '0'`)}, "the card, the batch or the whole reference was changed."},
			"the requester":                    {[]string{in(`U0ANA`, `U0EVE`)}, "who asked, where, their words, the card, the batch or the whole reference was changed."},
			"the requester's name":             {[]string{in(`"Name":"Ana"`, `"Name":"Eve"`)}, "who asked, where,"},
			"whose day it counts in":           {[]string{column(`requester = 'T0/U0EVE'`)}, "who asked, where,"},
			"the description":                  {[]string{in(`Replaced by`, `Replaces`)}, "who asked, where,"},
			"the place":                        {[]string{in(`C0OPS`, `C0EVE`)}, "who asked, where,"},
			"the card":                         {[]string{in(`web.example.com`, `db.example.com`)}, "who asked, where,"},
			"the batch":                        {[]string{column(`batch = 'b'`)}, "who asked, where,"},
			"its place in the batch":           {[]string{column(`batch_row = 3`)}, "who asked, where,"},
			"when it was asked":                {[]string{column(`created_at = created_at + 1`)}, "who asked, where,"},
			"another salt":                     {[]string{column(`salt = '00'`)}, "who asked, where,"},
			"a document that is none":          {[]string{column(`submission = 'x'`)}, "it cannot be read."},
			"the salt alone":                   {[]string{column(`salt = null`)}, "its text counts as erased, and there is one."},
			"an erased text, and another one":  {append(blank[:len(blank):len(blank)], in(`"Content":""`, `"Content":"x"`)), "its text counts as erased, and there is one."},
			"an erased text and a new place":   {append(blank[:len(blank):len(blank)], in(`"Channel":""`, `"Channel":"C0EVE"`)), "its text counts as erased, and there is one."},
			"an erased text, and another rest": {append(blank[:len(blank):len(blank)], in(`No longer needed`, `Other`)), `reason "Other" instead of "No longer needed".`},
			"an erased text":                   {blank, ""},
			"nothing":                          {nil, ""},
		} {
			w.does(`delete from notices`)
			w.does(`update requests set ` + w.keptColumns())
			w.does(c.does...)
			r, said := verified(t, reading, &saved)
			assert.Equal(t, c.want == "", r.Good(), "%s: %s", says, said)
			assert.Contains(t, said, "The checkpoint fits: its first 3 events are in this log as they were.", says)
			if c.want != "" {
				assert.Contains(t, said, "CHANGED  position 3, request "+ref+": its row is not as it was recorded: ", says)
				assert.Contains(t, said, c.want, says)
			}
			assert.EqualValues(t, map[bool]int64{true: 1}[says == "an erased text"], r.ErasedRows, says)
		}
	})
}

// keptColumns puts the columns back that a first event holds to the log.
func (w *world) keptColumns() (sets string) {
	for i, column := range []string{"server_id", "short_ref", "ref", "requester", "created_at", "batch", "batch_row", "submission", "salt"} {
		if i > 0 {
			sets += ", "
		}
		sets += fmt.Sprintf("%s = (select %s from kept_requests where kept_requests.id = requests.id)", column, column)
	}
	return sets
}

func TestARowOfAnOlderBuildVerifies(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		w.asked(2) // its detail says nothing of the row
		w.submitted()
		w.seals()
		w.does(`update requests set salt = null where id = 'r01'`, `update requests set server_id = 77 where id = 'r01'`)
		r, said := verified(t, w.reading(), nil)
		assert.True(t, r.Good(), said)
		assert.EqualValues(t, 1, r.Unheld)
		assert.Contains(t, said, "Requests whose row was not compared, because an older build recorded them or their first event is erased: 1.")
	})
}

// A digest is no way to find out what was erased.
func TestAnErasedRowLeavesNothingToGuess(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		id, _ := w.submitted()
		w.seals()
		var salt string
		require.NoError(t, w.raw.QueryRowContext(t.Context(), `select salt from requests where id = $1`, id).Scan(&salt))
		require.Len(t, salt, 32)
		var kept string // of all that stays when the row's text and salt are erased
		require.NoError(t, w.reading().Sealed(t.Context(), 1, 9, func(e *audit.Event) error {
			kept += fmt.Sprintf("%s %s %s %x %s\n", e.Leaf(), e.Subject, e.Detail, e.Salt, e.Hash)
			return nil
		}))
		assert.Contains(t, kept, `"Digest":"`)
		for _, personal := range []string{salt, "Ana", "C0OPS", "Replaced by", "V0", `"web"`} {
			assert.NotContains(t, kept, personal)
		}
	})
}

func TestAPolicyTextThatIsGoneIsNamed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		inForce, decided := w.policy("permit"), w.policy("forbid")
		w.policy("in force without an event: the process ended before")
		w.noted(audit.Note{Kind: audit.KindPolicy, Subject: inForce})
		w.noted(audit.Note{Kind: audit.KindPolicyRefused, Subject: "of a file that was never in force"})
		for _, detail := range []string{
			`{"Rule":"ops-cancel","Policy":"` + decided + `"}`,
			`{"Rule":"ops-cancel"}`, // as a build recorded it that kept no texts
			`{"Note":{"Policy":"x"}}`, `a person's words: "Policy":"x"`,
		} {
			require.NoError(t, w.store.Note(t.Context(), w.asked(1), cancellation.Event{Kind: cancellation.EventApproved, Actor: "T0/U0BEN", Detail: detail}))
		}
		w.seals()
		reading := w.reading()
		r, said := verified(t, reading, nil)
		require.True(t, r.Good(), said)
		if w.options.URL != "" {
			w.does(`alter table policies disable trigger all`)
		} else {
			w.does(`drop trigger policies_keep_rows`, `drop trigger policies_keep_content`)
		}
		w.does(`create table kept_policies as select * from policies`)
		gone := func(digest string) string {
			return ", policy " + digest + ": this event names it, and its text, which was kept before, is gone."
		}
		for says, c := range map[string]struct {
			does string
			want []string
		}{
			"all are gone":                 {`delete from policies`, []string{"MISSING  position 2" + gone(inForce), gone(decided)}},
			"the one in force is gone":     {`delete from policies where digest = '` + inForce + `'`, []string{"MISSING  position 2" + gone(inForce)}},
			"the one that decided is gone": {`delete from policies where digest = '` + decided + `'`, []string{gone(decided)}},
			"a text is another": {
				`update policies set text = 'permit all' where digest = '` + inForce + `'`,
				[]string{"CHANGED  position 2, policy " + inForce + ": its text does not have this digest."},
			},
			"a digest is another": {
				`update policies set digest = 'x' where digest = '` + inForce + `'`,
				[]string{"CHANGED  policy x: its text does not have this digest.", "MISSING  position 2" + gone(inForce)},
			},
		} {
			w.does(`delete from policies`, `insert into policies select * from kept_policies`, c.does)
			r, said := verified(t, reading, nil)
			assert.Len(t, r.Findings, len(c.want), "%s: %s", says, said)
			for _, want := range c.want {
				assert.Contains(t, said, want, says)
			}
		}
		w.does(`delete from policies`)
		var out bytes.Buffer
		require.NoError(t, audit.Export(t.Context(), reading, &out), "what is gone keeps no event from being exported")
		assert.NotContains(t, out.String(), `"text":`)
	})
}
