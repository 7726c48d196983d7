package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const byID = `"id":{"operation":"orderBy","options":[{"name":"sort","value":["ASC"]}]}`

func TestFilterOperators(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	all := w.rows(w.get("SoftLayer_Account/getHardware"))
	one := all[0]
	for operation, holds := range map[string]func(row map[string]any) bool{
		"^= web":                         func(r map[string]any) bool { return strings.HasPrefix(r["hostname"].(string), "web") },
		"*= 01":                          func(r map[string]any) bool { return strings.Contains(r["hostname"].(string), "01") },
		"$= 7":                           func(r map[string]any) bool { return strings.HasSuffix(r["hostname"].(string), "7") },
		"_= " + upper(one):               func(r map[string]any) bool { return r["hostname"] == one["hostname"] },
		one["hostname"].(string):         func(r map[string]any) bool { return r["hostname"] == one["hostname"] },
		"~ ^(WEB|db)-":                   func(r map[string]any) bool { h := r["hostname"].(string); return h[:3] == "web" || h[:3] == "db-" },
		"!= " + one["hostname"].(string): func(r map[string]any) bool { return r["hostname"] != one["hostname"] },
		"is null":                        func(map[string]any) bool { return false },
	} {
		var want []any
		for _, row := range all {
			if holds(row) {
				want = append(want, row["id"])
			}
		}
		filter := w.json(map[string]any{"hardware": map[string]any{"hostname": map[string]any{"operation": operation}}})
		r := w.get("SoftLayer_Account/getHardware", "objectFilter", filter)
		var got []any
		for _, row := range w.rows(r) {
			got = append(got, row["id"])
		}
		assert.ElementsMatch(t, want, got, operation)
		assert.Equal(t, fmt.Sprint(len(want)), r.total, operation)
		assert.Empty(t, w.broke(), operation)
	}
}

func upper(row map[string]any) string { return strings.ToUpper(row["hostname"].(string)) }

func TestFiltersJoinAndReachThroughRelations(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 60)
	rows := w.rows(w.get("SoftLayer_Account/getHardware", "objectMask", "mask[id,domain,datacenter[name]]", "objectFilter",
		`{"hardware":{"domain":{"operation":"example.com"},"datacenter":{"name":{"operation":"fra02"}},`+byID+`}}`))
	require.NotEmpty(t, rows)
	for i, row := range rows {
		assert.Equal(t, "example.com", row["domain"])
		assert.Equal(t, "fra02", row["datacenter"].(map[string]any)["name"])
		assert.True(t, i == 0 || rows[i-1]["id"].(float64) < row["id"].(float64), "sorted by id")
	}
	tagged := w.rows(w.get("SoftLayer_Account/getHardware", "objectFilter",
		`{"hardware":{"tagReferences":{"tag":{"name":{"operation":"in","options":[{"name":"data","value":["protected","prod"]}]}}}}}`))
	assert.Len(t, tagged, 6)
	free := w.rows(w.get("SoftLayer_Account/getHardware", "objectFilter",
		`{"hardware":{"billingItem":{"operation":"is null"}}}`))
	assert.Len(t, free, 3)
}

func TestBadFilterReturnsEverythingAndIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 12)
	for name, filter := range map[string]string{
		"not JSON":                `{"hardware":`,
		"no root":                 `{"hostname":{"operation":"^= web"}}`,
		"another root":            `{"tickets":{"id":{"operation":1}}}`,
		"an unknown property":     `{"hardware":{"hostName":{"operation":"^= web"}}}`,
		"no operation":            `{"hardware":{"hostname":"^= web"}}`,
		"an empty one":            `{"hardware":{"hostname":{}}}`,
		"a broken pattern":        `{"hardware":{"hostname":{"operation":"~ ["}}}`,
		"a relation with a value": `{"hardware":{"datacenter":{"operation":"fra02"}}}`,
		"a date of no known form": `{"hardware":{"provisionDate":{"operation":"greaterThanDate","options":[{"name":"date","value":["soon"]}]}}}`,
		"options of a wrong form": `{"hardware":{"hostname":{"operation":"in","options":"web"}}}`,
	} {
		r := w.get("SoftLayer_Account/getHardware", "objectFilter", filter)
		assert.Equal(t, http.StatusOK, r.status, name)
		assert.Equal(t, "12", r.total, name)
		require.Len(t, w.broke(), 1, name)
		assert.Contains(t, w.broke()[0].Source, "object-filters", name)
	}
}

func TestPagesAndTotals(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	var seen []any
	for _, limit := range []string{"0,10", "10,10", "20,10", "30,10"} {
		r := w.get("SoftLayer_Account/getHardware", "resultLimit", limit, "objectFilter", `{"hardware":{`+byID+`}}`)
		assert.Equal(t, "25", r.total)
		assert.Empty(t, w.broke())
		for _, row := range w.rows(r) {
			assert.NotContains(t, seen, row["id"])
			seen = append(seen, row["id"])
		}
	}
	assert.Len(t, seen, 25)
	assert.Len(t, w.rows(w.get("SoftLayer_Account/getHardware", "resultLimit", "4")), 4)
	w.get("SoftLayer_Account/getHardware", "resultLimit", "10,10")
	assert.Len(t, w.broke(), 1, "paging without an order")
	assert.Len(t, w.rows(w.get("SoftLayer_Account/getHardware", "resultLimit", "ten")), 25)
	assert.Len(t, w.broke(), 1, "a limit that cannot be read")
	one, other := w.get("SoftLayer_Account/getHardware").text, w.get("SoftLayer_Account/getHardware").text
	assert.NotEqual(t, one, other, "without an order the order changes")
}

func TestWideMaskOverManyRowsFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 25)
	wide := "mask[id,tagReferences[tag[name]]]"
	assert.Equal(t, http.StatusOK, w.get("SoftLayer_Account/getHardware", "objectMask", wide, "resultLimit", "0,10").status)
	r := w.get("SoftLayer_Account/getHardware", "objectMask", wide, "resultLimit", "0,11")
	assert.Equal(t, http.StatusInternalServerError, r.status)
	assert.JSONEq(t, `{"error":"Internal Error","code":"SoftLayer_Exception_Public"}`, r.text)
	assert.Len(t, w.broke(), 1)
}

func TestTicketListsTellOpenFromClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	id := w.account.Cancelable()
	closed := w.object(w.cancel(id))["id"]
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"close":true}`, closed))
	open := w.object(w.cancel(id))["id"]
	ids := func(method, root string) []any {
		rows := w.rows(w.get("SoftLayer_Account/"+method, "objectMask", "mask[id,status[name]]", "objectFilter",
			fmt.Sprintf(`{"%s":{"attachedHardware":{"id":{"operation":%d}},"createDate":{"operation":"greaterThanDate","options":[{"name":"date","value":["11/10/2026 00:00:00"]}]}}}`, root, id)))
		var found []any
		for _, row := range rows {
			found = append(found, row["id"])
		}
		assert.Empty(t, w.broke(), method)
		return found
	}
	assert.ElementsMatch(t, []any{closed, open}, ids("getTickets", "tickets"))
	assert.Equal(t, []any{open}, ids("getOpenTickets", "openTickets"))
	assert.Equal(t, []any{closed}, ids("getClosedTickets", "closedTickets"))
	assert.Equal(t, []any{closed}, ids("getTicketsClosedInTheLastThreeDays", "ticketsClosedInTheLastThreeDays"))
	w.account.Advance(73 * time.Hour)
	assert.Empty(t, ids("getTicketsClosedInTheLastThreeDays", "ticketsClosedInTheLastThreeDays"))
	assert.Equal(t, []any{closed}, ids("getClosedTickets", "closedTickets"))
	active := w.rows(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getActiveTickets", id)))
	assert.Len(t, active, 1)
	attached := w.rows(w.get(fmt.Sprintf("SoftLayer_Ticket/%.0f/getAttachedHardware", open)))
	assert.EqualValues(t, id, attached[0]["id"])
}

func TestSearchIsExactQuotedStarredAndFuzzyOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	server := w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d", w.account.Cancelable())))
	name, role := server["fullyQualifiedDomainName"].(string), strings.Split(server["hostname"].(string), "-")[0]
	search := func(text string) []string {
		r := w.must(w.request(http.MethodPost,
			"SoftLayer_Search/advancedSearch.json?objectMask=mask[resource(SoftLayer_Hardware)[fullyQualifiedDomainName]]",
			w.json(map[string]any{"parameters": []string{text}})))
		require.Equal(t, http.StatusOK, r.status, r.text)
		names := []string{}
		for _, row := range w.rows(r) {
			names = append(names, row["resource"].(map[string]any)["fullyQualifiedDomainName"].(string))
		}
		return names
	}
	assert.Equal(t, []string{name}, search(`_objectType:SoftLayer_Hardware "`+name+`"`))
	starred := search("_objectType:SoftLayer_Hardware *" + role + "*")
	assert.Contains(t, starred, name)
	for _, other := range starred {
		assert.Contains(t, other, role)
	}
	assert.Greater(t, len(search(name)), 1, "an unquoted name finds its neighbours too")
	assert.NotContains(t, search("example* -"+role+" *"), name)
	assert.Empty(t, search("_objectType:SoftLayer_Virtual_Guest *"))
	assert.Contains(t, w.post("SoftLayer_Search/advancedSearch", "*").text, `"hostname"`, "without a mask the resource comes whole")
	old := w.request(http.MethodPost, "../v3/SoftLayer_Search/advancedSearch", `{"parameters":["*"]}`)
	old.URL.Path = "/fake/rest/v3/SoftLayer_Search/advancedSearch"
	assert.Equal(t, http.StatusBadRequest, w.must(old).status, "v3 has no search")
}

func TestSelfAndCutoff(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	account := w.object(w.get("SoftLayer_Account.json"))
	user := w.object(w.get("SoftLayer_Account/getCurrentUser.json", "objectMask", "mask[id,username,isMasterUserFlag,hasFullHardwareAccessFlag]"))
	assert.Equal(t, w.account.Username(), user["username"])
	assert.Equal(t, true, user["hasFullHardwareAccessFlag"])
	path := fmt.Sprintf("SoftLayer_User_Customer/%.0f/getPermissions.json", user["id"])
	assert.Len(t, w.rows(w.get(path)), 11)
	w.mustSteer("/key", `{"master":true}`)
	assert.Equal(t, "[]", w.get(path).text, "a master user may have no list at all")
	assert.Equal(t, http.StatusNotFound, w.get("SoftLayer_User_Customer/1/getPermissions").status)

	const cutoff = "SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate"
	assert.Equal(t, `"2026-11-28T00:00:00-06:00"`, w.post(cutoff, account["id"], "server").text)
	assert.Equal(t, `"2026-11-28T00:00:00-06:00"`, w.get(fmt.Sprintf("%s/%.0f/server", cutoff, account["id"])).text)
	assert.Equal(t, http.StatusNotFound, w.post(cutoff, 1, "server").status)
	assert.Equal(t, http.StatusInternalServerError, w.post(cutoff, account["id"], "guest").status)
}

func TestClockRollsBillDatesAndTakesServersAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	id := w.account.Cancelable()
	ticket := w.object(w.cancel(id))["id"]
	path := fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", id)
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"approve":true}`, ticket))
	billing := w.object(w.get(path, "objectMask", "mask[cancellationDate,pendingCancellationFlag]"))
	assert.Equal(t, map[string]any{"pendingCancellationFlag": true, "cancellationDate": "2026-12-01T00:00:00-06:00"}, billing)
	other := w.account.Cancelable()
	w.account.Advance(22 * 24 * time.Hour)
	assert.Equal(t, start.Add(22*24*time.Hour), w.account.Now())
	assert.Equal(t, http.StatusNotFound, w.get(path).status, "its cancellation date has come")
	assert.Equal(t, "2027-01-01T00:00:00-06:00",
		w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", other)))["nextBillDate"])
}

func TestPastTheCutoffItTakesOneMonthMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	id := w.account.Cancelable()
	w.account.Advance(18 * 24 * time.Hour)
	ticket := w.object(w.cancel(id))["id"]
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"approve":true}`, ticket))
	assert.Equal(t, "2027-01-01T00:00:00-06:00",
		w.object(w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%d/getBillingItem", id)))["cancellationDate"])
}

func TestNumbersAndDatesAreCompared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 20)
	id := w.account.Cancelable()
	total := func(property, operation, options string) string {
		r := w.get("SoftLayer_Account/getHardware", "objectFilter",
			fmt.Sprintf(`{"hardware":{%q:{"operation":%q%s}}}`, property, operation, options))
		assert.Empty(t, w.broke(), operation)
		return r.total
	}
	for operation, want := range map[string]string{"> ": "19", ">= ": "20", "< ": "0", "<= ": "1"} {
		assert.Equal(t, want, total("id", operation+fmt.Sprint(id), ""), operation)
	}
	dates := func(values string) string { return `,"options":[{"name":"date","value":[` + values + `]}]` }
	assert.Equal(t, "1", total("provisionDate", "greaterThanDate", dates(`"11/01/2026"`)))
	assert.Equal(t, "19", total("provisionDate", "lessThanDate", dates(`"11/01/2026"`)))
	assert.Equal(t, "1", total("provisionDate", "betweenDate", dates(`"11/01/2026","2026-11-10T00:00:00-06:00"`)))
	assert.Equal(t, "20", total("provisionDate", "not null", ""))
}
