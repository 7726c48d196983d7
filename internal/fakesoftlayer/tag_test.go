package fakesoftlayer_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestATagNamesWhatCarriesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	attached := w.get("SoftLayer_Tag/getAttachedTagsForCurrentUser", "objectMask", "mask[id,name,referenceCount]")
	kinds := map[string]int{}
	for _, tag := range w.rows(attached) {
		at := fmt.Sprintf("SoftLayer_Tag/%.0f/getReferences", tag["id"])
		references := w.get(at, "objectMask", "mask[id,resourceTableId,tag[name],tagType[keyName]]")
		assert.Equal(t, fmt.Sprint(tag["referenceCount"]), references.total, "%v", tag["name"])
		for _, reference := range w.rows(references) {
			assert.Equal(t, tag["name"], reference["tag"].(map[string]any)["name"])
			kind := reference["tagType"].(map[string]any)["keyName"].(string)
			kinds[kind]++
			service := map[string]string{"HARDWARE": "SoftLayer_Hardware_Server", "GUEST": "SoftLayer_Virtual_Guest"}[kind]
			read := w.get(fmt.Sprintf("%s/%.0f/getObject", service, reference["resourceTableId"]), "objectMask", "mask[id,tagReferences[tag[name]]]")
			assert.Contains(t, read.text, fmt.Sprintf("%q", tag["name"]))
		}
	}
	assert.Positive(t, kinds["HARDWARE"])
	assert.Positive(t, kinds["GUEST"])
	assert.Equal(t, http.StatusNotFound, w.get("SoftLayer_Tag/1/getReferences").status)
	assert.Empty(t, w.broke())
}

func TestVirtualServersAreSeparateFromBareMetal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 40)
	name := w.account.VirtualServer()
	filter := w.json(map[string]any{"virtualGuests": map[string]any{"fullyQualifiedDomainName": map[string]any{"operation": "_= " + name}}})
	rows := w.rows(w.get("SoftLayer_Account/getVirtualGuests", "objectFilter", filter, "objectMask", "mask[id,primaryIpAddress]"))
	require.Len(t, rows, 1)
	assert.NotEmpty(t, rows[0]["primaryIpAddress"])
	read := w.get(fmt.Sprintf("SoftLayer_Virtual_Guest/%.0f/getObject", rows[0]["id"]))
	assert.Equal(t, name, w.object(read)["fullyQualifiedDomainName"])
	assert.NotContains(t, w.object(read), "primaryIpAddress", "which is not told unasked")
	assert.Equal(t, http.StatusNotFound, w.get(fmt.Sprintf("SoftLayer_Hardware_Server/%.0f/getObject", rows[0]["id"])).status)
	assert.NotContains(t, w.get("SoftLayer_Account/getHardware").text, name)
	assert.Empty(t, w.broke())
}

func TestALargeAccountIsPagedByID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 350)
	var last float64
	for offset := 0; offset < 350; offset += 100 {
		page := w.get("SoftLayer_Account/getHardware", "resultLimit", fmt.Sprintf("%d,100", offset), "objectFilter", `{"hardware":{`+byID+`}}`)
		assert.Equal(t, "350", page.total)
		for _, row := range w.rows(page) {
			assert.Greater(t, row["id"], last)
			last = row["id"].(float64)
		}
	}
	assert.Empty(t, w.broke())
}
