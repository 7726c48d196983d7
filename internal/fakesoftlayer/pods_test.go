package fakesoftlayer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const podMask = "mask[name,datacenterName,backendRouterId,backendRouterName,capabilities]"

// "Property providing a means to filter Pods based on available capabilities."
// https://sldn.softlayer.com/reference/services/SoftLayer_Network_Pod/getAllObjects/
func TestAnnouncedPodsAreFoundByTheirCapability(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 48)
	const announced = `{"capabilities":{"operation":"in","options":[{"name":"data","value":["CLOSURE_ANNOUNCED"]}]},` +
		`"name":{"operation":"orderBy","options":[{"name":"sort","value":["DESC"]}]}}`
	closing := func() (names []any) {
		for _, pod := range w.rows(w.get("SoftLayer_Network_Pod/getAllObjects", "objectMask", podMask, "objectFilter", announced)) {
			names = append(names, pod["name"])
		}
		return names
	}
	assert.Empty(t, closing())
	w.mustSteer("/pod", `{"id":"fra02.pod02","closing":true}`)
	w.mustSteer("/pod", `{"id":"tok02.pod01","closing":true}`)
	assert.Equal(t, []any{"tok02.pod01", "fra02.pod02"}, closing())
	w.mustSteer("/pod", `{"id":"tok02.pod01","closing":false}`)
	assert.Equal(t, []any{"fra02.pod02"}, closing())
	all := w.rows(w.get("SoftLayer_Network_Pod/getAllObjects"))
	assert.Len(t, all, 10)
	for _, pod := range all {
		assert.NotContains(t, pod, "capabilities", "no recorded answer without a mask has them")
	}
	assert.Empty(t, w.broke())
}

func TestServersStandInThePodOfTheirRouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 48)
	pods := map[any]map[string]any{}
	for _, pod := range w.rows(w.get("SoftLayer_Network_Pod/getAllObjects", "objectMask", podMask)) {
		pods[pod["backendRouterId"]] = pod
	}
	used := map[any]int{}
	for _, row := range w.rows(w.get("SoftLayer_Account/getHardware", "objectMask", "mask[id,datacenter[name],backendRouters[id,hostname]]")) {
		routers := row["backendRouters"].([]any)
		require.Len(t, routers, 1)
		pod := pods[routers[0].(map[string]any)["id"]]
		require.NotNil(t, pod)
		assert.Equal(t, row["datacenter"].(map[string]any)["name"], pod["datacenterName"])
		assert.Equal(t, routers[0].(map[string]any)["hostname"], pod["backendRouterName"])
		used[pod["name"]]++
	}
	assert.Len(t, used, 10, "each pod has servers: %v", used)
	assert.Empty(t, w.broke())
}

func TestNobodySteersAnUnknownPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 24)
	for _, body := range []string{`{"id":"dal09.pod03","closing":true}`, `{"id":"fra02.pod01"}`, `{"closing":true}`} {
		assert.Equal(t, 400, w.steer("/pod", body).status, body)
	}
}
