package fakeslack

import (
	"maps"
	"slices"
)

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
