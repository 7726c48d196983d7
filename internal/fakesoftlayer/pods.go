package fakesoftlayer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// podsPerPlace is how many pods each data center of the account has.
const podsPerPlace = 2

// closureAnnounced is what a pod is said to be capable of that will close.
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/CLI/report/dc_closures.py
const closureAnnounced = "CLOSURE_ANNOUNCED"

var longPlaces = map[string]string{
	"fra02": "Frankfurt 2", "dal13": "Dallas 13", "lon06": "London 6", "wdc07": "Washington 7", "tok02": "Tokyo 2",
}

// surroundings are what was changed next to the servers.
type surroundings struct {
	lent    map[int64][]int // places of the servers that may use a volume in addition, by its id
	closing map[string]bool // the pods that are announced to close, by name
}

// pod is the n-th SoftLayer_Network_Pod of a data center, from 1. Its routers are SoftLayer's: no
// account lists them as its hardware.
// https://sldn.softlayer.com/reference/services/SoftLayer_Network_Pod/
func (a *Account) pod(place, n int) tree {
	name := fmt.Sprintf("%s.pod%02d", places[place], n)
	capabilities := []any{}
	if a.closing[name] {
		capabilities = append(capabilities, closureAnnounced)
	}
	router := int64(117_900 + 10*place + n)
	return tree{
		"name": name, "datacenterId": int64(449_500 + place), "datacenterName": places[place],
		"datacenterLongName": longPlaces[places[place]], "capabilities": capabilities,
		"backendRouterId": router, "backendRouterName": fmt.Sprintf("bcr%02da.%s", n, places[place]),
		"frontendRouterId": router + 1_000, "frontendRouterName": fmt.Sprintf("fcr%02da.%s", n, places[place]),
	}
}

func (a *Account) pods() []any {
	list := []any{}
	for place := range places {
		for n := range podsPerPlace {
			list = append(list, a.pod(place, n+1))
		}
	}
	return list
}

// backendRouters are those of the pod that a server stands in. The pod follows from the server's place
// in the account, so that it changes no server of a seed.
func (a *Account) backendRouters(server tree) any {
	at := a.placeOf(number(server["id"]))
	location, _ := server["datacenter"].(tree)
	name, _ := location["name"].(string)
	place := slices.Index(places, name)
	if at < 0 || place < 0 {
		return nil
	}
	pod := a.pod(place, 1+at%podsPerPlace)
	return []any{tree{"id": pod["backendRouterId"], "hostname": pod["backendRouterName"]}}
}

// podChange is the body of POST /pod.
type podChange struct {
	ID      any   `json:"id"`
	Closing *bool `json:"closing"`
}

// changePod announces that a pod will close, or takes that back.
func (a *Account) changePod(c podChange) (json.RawMessage, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.Closing == nil {
		return nil, errors.New("changing a pod: give closing, true or false")
	}
	var names []any
	for _, p := range a.pods() {
		name := p.(tree)["name"]
		if fmt.Sprint(c.ID) == name || fmt.Sprint(c.ID) == fmt.Sprint(p.(tree)["backendRouterId"]) {
			a.closing[name.(string)] = *c.Closing
			return encode(tree{"id": name, "closing": *c.Closing}), nil
		}
		names = append(names, name)
	}
	return nil, fmt.Errorf("changing a pod: %v is not one of %v", c.ID, names)
}
