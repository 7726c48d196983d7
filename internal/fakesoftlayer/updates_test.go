package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// filed is a world with one cancellation ticket of the key's own.
func filed(t *testing.T, choices fakesoftlayer.Unproven) (w *world, server int64, ticket string) {
	t.Helper()
	w = newWorldOf(t, fakesoftlayer.Options{Servers: 24, Unproven: choices})
	server = w.account.Cancelable()
	return w, server, fmt.Sprintf("SoftLayer_Ticket/%.0f", w.object(w.cancel(server))["id"])
}

// staff has SoftLayer's staff do something to the ticket of a path.
func (w *world) staff(ticket, order string) map[string]any {
	w.Helper()
	return w.mustSteer("/staff", fmt.Sprintf(`{"ticket":%s,%s}`, strings.TrimPrefix(ticket, "SoftLayer_Ticket/"), order))
}

// reply writes into the ticket of a path, as slcli and softlayer-go do.
func (w *world) reply(ticket, entry string) reply {
	w.Helper()
	return w.post(ticket+"/addUpdate.json", map[string]any{"entry": entry})
}

// ids are the ids of the rows of a list, in their order.
func (w *world) ids(r reply) []any {
	w.Helper()
	list := []any{}
	for _, row := range w.rows(r) {
		list = append(list, row["id"])
	}
	return list
}

// Update's editorId "is only used if a ticket update's editorType property is USER", and its
// editor is a user with a first name or an employee with a displayName.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket_Update/
func TestAnUpdateSaysWhoWroteIt(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	w.staff(ticket, `"do":"answer","text":"Which rack?"`)
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%s,"auto":"Reminder"}`, strings.TrimPrefix(ticket, "SoftLayer_Ticket/")))
	require.Equal(t, http.StatusOK, w.reply(ticket, "Rack 4.").status)
	updates := w.rows(w.get(ticket+"/getUpdates", "objectMask", "mask[entry,createDate,editorId,editorType,editor[username,firstName,displayName],ticket[id]]"))
	require.Len(t, updates, 4)
	for i, want := range []map[string]any{
		{"editorType": "USER", "editorId": 811234.0, "editor": map[string]any{"username": w.account.Username(), "firstName": "Fake"}},
		{"editorType": "EMPLOYEE", "entry": "Which rack?", "editor": map[string]any{"username": "support", "displayName": "Fake Support"}},
		{"editorType": "AUTO", "entry": "Reminder"},
		{"editorType": "USER", "editorId": 811234.0, "entry": "Rack 4.", "editor": map[string]any{"username": w.account.Username(), "firstName": "Fake"}},
	} {
		if i == 0 {
			delete(updates[i], "entry")
		}
		assert.Equal(t, "2026-11-10T06:00:00-06:00", updates[i]["createDate"])
		assert.NotEmpty(t, updates[i]["ticket"])
		delete(updates[i], "createDate")
		delete(updates[i], "ticket")
		assert.Equal(t, want, updates[i])
	}
	assert.Equal(t, "Rack 4.", w.object(w.get(ticket + "/getLastUpdate"))["entry"])
}

// "addUpdate() splits the entry property in the templateObject parameter into 3900 character
// blocks and creates one entry per 3900 character block. [It] returns an array of the newly
// created ticket updates."
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/addUpdate/
func TestAddUpdateMakesOneUpdatePer3900Characters(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	for entry, want := range map[string][]int{
		"short":                            {5},
		strings.Repeat("ü", 3900):          {3900},
		strings.Repeat("ü", 3901):          {3900, 1},
		strings.Repeat("word ", 4000)[:]:   {3900, 3900, 3900, 3900, 3900, 500},
		"  leading and trailing spaces \n": {31},
	} {
		made := w.rows(w.reply(ticket, entry))
		all := w.rows(w.get(ticket + "/getUpdates"))
		assert.Equal(t, made, all[len(all)-len(made):], "what was made is what stands")
		var lengths []int
		var whole strings.Builder
		for _, update := range made {
			lengths = append(lengths, len([]rune(update["entry"].(string))))
			whole.WriteString(update["entry"].(string))
		}
		assert.Equal(t, want, lengths)
		assert.Equal(t, entry, whole.String())
	}
	w.staff(ticket, fmt.Sprintf(`"do":"answer","text":%q`, strings.Repeat("x", 20_000)))
	all := w.rows(w.get(ticket + "/getUpdates"))
	assert.Len(t, all[len(all)-1]["entry"], 20_000-5*3900, "staff's entries have the same maximum")
	assert.Empty(t, w.broke())
}

func TestAddUpdateRefusesWhatIsNoUpdate(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	for name, parameters := range map[string][]any{
		"nothing":             {},
		"a bare text":         {"hello"},
		"no entry":            {map[string]any{}},
		"a blank entry":       {map[string]any{"entry": " \n"}},
		"a number":            {map[string]any{"entry": 5}},
		"an unknown property": {map[string]any{"entry": "hello", "text": "hello"}},
		"files":               {map[string]any{"entry": "hello"}, []any{map[string]any{"filename": "x"}}},
	} {
		r := w.post(ticket+"/addUpdate", parameters...)
		assert.Equal(t, http.StatusInternalServerError, r.status, name)
		assert.Contains(t, r.text, "SoftLayer_Exception", name)
	}
	assert.Equal(t, http.StatusInternalServerError, w.get(ticket+"/addUpdate/hello").status, "by GET there is no object to give")
	assert.Equal(t, http.StatusOK, w.post(ticket+"/addUpdate", map[string]any{"entry": "hello"}, []any{}).status, "no files")
	assert.Len(t, w.rows(w.get(ticket+"/getUpdates")), 2, "what was refused changed nothing")
	assert.Equal(t, http.StatusNotFound, w.reply("SoftLayer_Ticket/99", "hello").status)
}

// A permission error is "like an object not found error".
// https://sldn.softlayer.com/article/permission-enforcement-softlayer-api/
func TestAddUpdateNeedsTicketEdit(t *testing.T) {
	t.Parallel()
	for denial, want := range map[fakesoftlayer.Denial]int{
		fakesoftlayer.DeniedAsAbsent: http.StatusNotFound, fakesoftlayer.DeniedAsEmpty: http.StatusNotFound,
		fakesoftlayer.DeniedInWords: http.StatusInternalServerError,
	} {
		w, _, ticket := filed(t, fakesoftlayer.Unproven{Denial: denial})
		w.mustSteer("/key", `{"revoke":["TICKET_EDIT"]}`)
		assert.Equal(t, want, w.reply(ticket, "hello").status)
		assert.Len(t, w.rows(w.get(ticket+"/getUpdates")), 1, "it may still read")
		w.mustSteer("/key", `{"grant":["TICKET_EDIT"]}`)
		assert.Equal(t, http.StatusOK, w.reply(ticket, "hello").status)
		w.mustSteer("/key", `{"revoke":["TICKET_VIEW"]}`)
		assert.Equal(t, http.StatusNotFound, w.reply(ticket, "hello").status, "what it cannot see it cannot update")
	}
}

func TestStaffWaitUntilTheCustomerAnswers(t *testing.T) {
	t.Parallel()
	for stays, after := range map[bool]string{false: "false", true: "true"} {
		w, _, ticket := filed(t, fakesoftlayer.Unproven{AwaitingStays: stays})
		flag := func() string { return w.get(ticket + "/getAwaitingUserResponseFlag").text }
		assert.Equal(t, "false", flag())
		w.staff(ticket, `"do":"answer","text":"May we?","waits_for_customer":true`)
		assert.Equal(t, "true", flag())
		assert.Equal(t, true, w.object(w.get(ticket, "objectMask", "mask[awaitingUserResponseFlag]"))["awaitingUserResponseFlag"])
		assert.NotContains(t, w.object(w.get(ticket)), "awaitingUserResponseFlag", "a relational property comes with a mask alone")
		require.Equal(t, http.StatusOK, w.reply(ticket, "Yes.").status)
		assert.Equal(t, after, flag(), "unproven, and so an option")
		w.staff(ticket, `"do":"close"`)
		assert.Equal(t, "false", flag(), "nobody waits in a closed ticket")
	}
}

// "All open tickets associated with an account last edited by an employee."
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getOpenTicketsWaitingOnCustomer/
func TestWaitingOnCustomerMeansLastEditedByStaff(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	id := w.object(w.get(ticket))["id"]
	waiting := func() bool {
		list := w.get("SoftLayer_Account/getOpenTicketsWaitingOnCustomer", "objectMask", "mask[id]")
		return slices.Contains(w.ids(list), id)
	}
	assert.False(t, waiting())
	w.staff(ticket, `"do":"answer","text":"We are on it."`)
	assert.True(t, waiting(), "whether they wait or not")
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"auto":"A note."}`, id))
	assert.False(t, waiting(), "last edited by SoftLayer's systems")
	w.staff(ticket, `"do":"answer","text":"Well?","waits_for_customer":true`)
	assert.True(t, waiting())
	w.reply(ticket, "Yes.")
	assert.False(t, waiting())
	w.staff(ticket, `"do":"close","text":"Done."`)
	assert.False(t, waiting(), "a closed ticket waits for nobody")
}

// "Retrieve all tickets closed since a given date."
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/getTicketsClosedSinceDate/
func TestTicketsClosedSinceADate(t *testing.T) {
	t.Parallel()
	w, server, first := filed(t, fakesoftlayer.Unproven{})
	id := func(ticket string) any { return w.object(w.get(ticket))["id"] }
	since := func(at time.Time) []any {
		return w.ids(w.post("SoftLayer_Ticket/getTicketsClosedSinceDate", at.Format(time.RFC3339)))
	}
	w.staff(first, `"do":"close"`)
	w.account.Advance(time.Hour)
	second := fmt.Sprintf("SoftLayer_Ticket/%.0f", w.object(w.cancel(server))["id"])
	w.staff(second, `"do":"close"`)
	assert.ElementsMatch(t, []any{id(first), id(second)}, since(start))
	assert.Equal(t, []any{id(second)}, since(start.Add(time.Minute)))
	assert.Empty(t, since(start.Add(2*time.Hour)))
	assert.NotEmpty(t, w.rows(w.get("SoftLayer_Ticket/getTicketsClosedSinceDate/2026-11-10T06:00:00-06:00")), "by GET")

	w.staff(second, `"do":"reopen"`)
	assert.Equal(t, []any{id(first)}, since(start), "an open one is not among the closed")
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"hide":true}`, id(first)))
	assert.Empty(t, since(start), "nor one that the key cannot see")
	for _, wrong := range []any{nil, "soon", "", 1} {
		assert.Equal(t, http.StatusInternalServerError, w.post("SoftLayer_Ticket/getTicketsClosedSinceDate", wrong).status, "%v", wrong)
	}
	w.get("SoftLayer_Ticket/getTicketsClosedSinceDate/2026-11-10T06:00:00-06:00", "objectFilter", `{"id":{"operation":1}}`)
	assert.Len(t, w.broke(), 1, "it takes no filter")
}

// "A SoftLayer employee can change a ticket's status from Closed to Open or Assigned."
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket_Status/
func TestStaffCloseAndReopen(t *testing.T) {
	t.Parallel()
	for reopens, want := range map[bool]int{false: http.StatusInternalServerError, true: http.StatusOK} {
		w, server, ticket := filed(t, fakesoftlayer.Unproven{UpdateReopens: reopens})
		status := func() any { return w.object(w.get(ticket, "objectMask", "mask[status[name]]"))["status"] }
		open := map[string]any{"name": "Open"}
		w.staff(ticket, `"do":"close","text":"We cannot cancel: contract."`)
		assert.Equal(t, map[string]any{"name": "Closed"}, status())
		assert.Equal(t, "We cannot cancel: contract.", w.object(w.get(ticket + "/getLastUpdate"))["entry"])
		assert.Equal(t, reopens, w.object(w.get(ticket))["userEditableFlag"])
		assert.Equal(t, want, w.reply(ticket, "But why?").status)
		if !reopens {
			w.staff(ticket, `"do":"reopen","text":"Sorry. Which one?","waits_for_customer":true`)
			assert.Equal(t, "true", w.get(ticket+"/getAwaitingUserResponseFlag").text)
		}
		assert.Equal(t, open, status())
		assert.Equal(t, true, w.object(w.get(ticket))["userEditableFlag"])
		assert.Equal(t, http.StatusOK, w.reply(ticket, "Thanks.").status)
		assert.Contains(t, w.cancel(server).text, "already exists", "it stands again")
	}
}

// mustQuestion is a ticket that has nothing to do with a cancellation.
func (w *world) mustQuestion() map[string]any {
	w.Helper()
	for _, ticket := range w.rows(w.controlGet("/tickets")) {
		if ticket["title"] == "A fan is loud" {
			return ticket
		}
	}
	w.Fatal("the account has no such ticket")
	return nil
}

func TestStaffDoOnlyWhatCanBeDone(t *testing.T) {
	t.Parallel()
	w, _, ticket := filed(t, fakesoftlayer.Unproven{})
	id := w.object(w.get(ticket))["id"]
	refused := func(order string) {
		t.Helper()
		r := w.steer("/staff", order)
		assert.Equal(t, http.StatusBadRequest, r.status, order)
	}
	for _, order := range []string{
		`"do":"dance"`, `"do":"answer"`, `"do":"close","waits_for_customer":true,"text":"x"`, `"do":"reopen"`, `"text":"x"`,
	} {
		refused(fmt.Sprintf(`{"ticket":%.0f,%s}`, id, order))
	}
	refused(`{"ticket":5,"do":"answer","text":"x"}`)
	question := w.mustQuestion()
	refused(fmt.Sprintf(`{"ticket":%.0f,"do":"approve","text":"x"}`, question["id"]))
	assert.Equal(t, question, w.mustQuestion(), "it asks for no cancellation")
	w.staff(ticket, `"do":"close"`)
	for _, do := range []string{"answer", "close", "approve"} {
		refused(fmt.Sprintf(`{"ticket":%.0f,"do":%q,"text":"x"}`, id, do))
	}
	assert.Len(t, w.rows(w.get(ticket+"/getUpdates")), 1, "what was refused wrote nothing")
}

func TestAForeignTicketIsItsUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	server := w.account.Cancelable()
	made := w.mustSteer("/ticket", fmt.Sprintf(`{"server":%d,"open":true,"entry":"by phone","user":"Jane"}`, server))
	ticket := w.object(w.get(fmt.Sprintf("SoftLayer_Ticket/%.0f", made["id"]), "objectMask", "mask[id,assignedUser[username,firstName,permissions],firstUpdate[editorId],assignedUserId]"))
	user := ticket["assignedUser"].(map[string]any)
	assert.Equal(t, "307608_jane@example.com", user["username"])
	assert.Equal(t, "Jane", user["firstName"])
	assert.Empty(t, user["permissions"], "another user's permissions are not visible")
	assert.NotEqual(t, 811234.0, ticket["assignedUserId"])
	assert.Equal(t, map[string]any{"editorId": ticket["assignedUserId"]}, ticket["firstUpdate"])
	assert.Equal(t, http.StatusBadRequest, w.steer("/ticket", fmt.Sprintf(`{"server":%d,"open":true,"user":"<b>"}`, server)).status)
}
