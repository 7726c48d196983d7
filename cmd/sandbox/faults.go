package main

import (
	"context"
	"fmt"
	"net/http"

	"cancel-server/internal/fakeslack"
)

// faultName is a fault that POST fault takes.
type faultName struct {
	Name string `json:"name"`
	Doc  string `json:"doc,omitempty"`
}

// faultNames are the faults of each system, under its name in POST fault.
func (w *world) faultNames() map[string][]faultName {
	names := map[string][]faultName{}
	for _, name := range fakeslack.FaultNames() {
		names["slack"] = append(names["slack"], faultName{Name: name})
	}
	for _, f := range w.softlayer.FaultNames() {
		names["softlayer"] = append(names["softlayer"], faultName(f))
	}
	return names
}

// faultMethods are the methods of each system that POST fault takes, each with the
// faults that it can have.
func (w *world) faultMethods() map[string][]fakeslack.FaultMethod {
	var all []string
	for _, f := range w.softlayer.FaultNames() {
		all = append(all, f.Name)
	}
	methods := map[string][]fakeslack.FaultMethod{
		"slack":     w.slack.FaultMethods(),
		"softlayer": {{Method: "*", Faults: all}},
	}
	for _, name := range w.softlayer.Methods() {
		methods["softlayer"] = append(methods["softlayer"], fakeslack.FaultMethod{Method: name, Faults: all})
	}
	return methods
}

// faultOrder is the body of POST fault; without times it is once.
type faultOrder struct {
	At     string `json:"at"`
	Method string `json:"method"`
	Fault  string `json:"fault"`
	Times  *int   `json:"times"`
}

func (w *world) fault(_ context.Context, f faultOrder) (any, error) {
	times := 1
	if f.Times != nil {
		times = *f.Times
	}
	switch f.At {
	case "slack":
		return done{true}, w.slack.Fault(f.Method, f.Fault, times)
	case "softlayer":
		defer w.slack.Wake()
		return done{true}, w.softlayer.Fault(f.Method, f.Fault, times)
	}
	return nil, fmt.Errorf("setting a fault: at is %q, neither slack nor softlayer", f.At)
}

// armedFault is a fault that waits for its requests.
type armedFault struct {
	At     string `json:"at"`
	Method string `json:"method"`
	Fault  string `json:"fault"`
	Left   int    `json:"left"`
}

func (w *world) listFaults(out http.ResponseWriter, _ *http.Request) {
	armed := []armedFault{}
	for _, f := range w.slack.ArmedFaults() {
		armed = append(armed, armedFault{"slack", f.Method, f.Fault, f.Left})
	}
	for _, f := range w.softlayer.ArmedFaults() {
		armed = append(armed, armedFault{"softlayer", f.Method, f.Fault, f.Left})
	}
	writeJSON(out, http.StatusOK, armed)
}

// cleared is the answer of DELETE faults.
type cleared struct {
	OK      bool `json:"ok"`
	Cleared int  `json:"cleared"` // entries that GET faults no longer has
}

// clearFaults disarms the faults at one system, of one method, or all of them.
func (w *world) clearFaults(out http.ResponseWriter, r *http.Request) {
	at, method := r.FormValue("at"), r.FormValue("method")
	if at != "" && at != "slack" && at != "softlayer" {
		writeError(out, http.StatusBadRequest, fmt.Sprintf("clearing faults: at is %q, neither slack nor softlayer", at))
		return
	}
	n := 0
	if at != "softlayer" {
		n += w.slack.ClearFaults(method)
	}
	if at != "slack" {
		n += w.softlayer.ClearFaults(method)
		w.slack.Wake()
	}
	writeJSON(out, http.StatusOK, cleared{true, n})
}
