package fakeslack

import (
	"maps"
	"net/http"
	"slices"
)

// CarryToBot has requests to the bot go this way instead of over the network.
func (w *Workspace) CarryToBot(way http.RoundTripper) { w.client.Transport = way }

// APIMethodNames returns the routes that are really registered.
func APIMethodNames() []string {
	var names []string
	for _, m := range apiMethods() {
		names = append(names, m.name)
	}
	return names
}

// DeliveryNames returns what is really delivered.
func DeliveryNames() []string { return deliveryMethods() }

// Disturbances returns what can be done to a socket.
func Disturbances() []string {
	return slices.Sorted(maps.Keys(new(Workspace).disturbances()))
}
