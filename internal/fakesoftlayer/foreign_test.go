package fakesoftlayer_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/fakesoftlayer"
)

// The masks of slcli ticket list and ticket detail:
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/managers/ticket.py
const (
	slcliList   = "mask[id, serviceProviderResourceId, title, assignedUser[firstName, lastName], priority, createDate, lastEditDate, accountId, status, updateCount]"
	slcliDetail = "mask[id, serviceProviderResourceId, title, assignedUser[firstName, lastName], status, createDate, lastEditDate, updates[entry,editor], updateCount, priority]"
)

func TestSlcliReadsTickets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1)
	id := w.object(w.cancel(w.account.Cancelable()))["id"]
	w.mustSteer("/ticket", fmt.Sprintf(`{"id":%.0f,"answer":"Working on it."}`, id))

	list := w.rows(w.get("SoftLayer_Account/getOpenTickets", "objectMask", slcliList))
	require.Len(t, list, 1)
	assert.Equal(t, map[string]any{"firstName": "Fake", "lastName": "Bot"}, list[0]["assignedUser"])
	assert.Equal(t, 2.0, list[0]["updateCount"])
	assert.Equal(t, "Open", list[0]["status"].(map[string]any)["name"])

	detail := w.object(w.get(fmt.Sprintf("SoftLayer_Ticket/%.0f", id), "objectMask", slcliDetail))
	updates := detail["updates"].([]any)
	require.Len(t, updates, 2)
	own, staff := updates[0].(map[string]any)["editor"].(map[string]any), updates[1].(map[string]any)
	assert.Equal(t, "Fake", own["firstName"])
	assert.NotContains(t, own, "displayName", "a user has none")
	assert.Equal(t, "Working on it.", staff["entry"])
	assert.Equal(t, "Fake Support", staff["editor"].(map[string]any)["displayName"])
	assert.NotContains(t, w.object(w.get(fmt.Sprintf("SoftLayer_Ticket/%.0f", id))), "updateCount", "a count comes with a mask alone")
}

// softlayer-go reads bareMetalInstanceFlag as an integer:
// https://github.com/softlayer/softlayer-go/blob/master/datatypes/hardware.go
func TestBareMetalInstanceFlagIsAnInteger(t *testing.T) {
	t.Parallel()
	for boolean, want := range map[bool]int{false: 1, true: 2} {
		account := fakesoftlayer.New(fakesoftlayer.Options{Servers: 40, Seed: 7, BooleanFlags: boolean})
		forms := map[string]bool{}
		for _, server := range ask[[]map[string]any](t, account, "SoftLayer_Account/getHardware", "") {
			forms[fmt.Sprintf("%T", server["bareMetalInstanceFlag"])] = true
		}
		assert.Len(t, forms, want)
		assert.True(t, forms["float64"])
	}
}
