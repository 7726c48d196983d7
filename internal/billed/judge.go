package billed

import (
	"regexp"
	"slices"
)

// Facts are what SoftLayer's records say of what stands next to a server.
type Facts struct {
	Server  int64
	Billing bool // the key sees billing items: what shows none has none of its own
	Volumes []VolumeFacts
	Subnets []Charge // secondary subnets that are routed to the server
	VLANs   []VLANFacts
	Hidden  []Kind // kinds that the key may not see
	Unread  []Kind // kinds about which SoftLayer did not answer
}

// Charge is a thing with its billing item.
type Charge struct {
	Name  string
	ID    int64  // of the billing item; 0 if none was shown
	Fee   string // a month; "" if it was not shown
	Ended bool   // its cancellation is due: it does not stay
}

// VolumeFacts are a volume that the server may use.
type VolumeFacts struct {
	Charge
	Servers  []int64 // the servers that may use it, as far as the key sees
	Known    bool    // Servers was shown
	Others   bool    // something else than a server may use it
	Replicas []Charge
}

// VLANFacts are a VLAN that the server is on.
type VLANFacts struct {
	Charge
	Servers []int64 // the servers on it, as far as the key sees
	Known   bool    // Servers was shown
	Others  bool    // a virtual server is on it
	Subnets []Charge
	Asked   bool     // SoftLayer was asked what keeps it from being cancelled
	Reasons []string // and answered with these
}

// Alone reports whether nothing but this server is seen on the VLAN, and it is billed or may be: then
// SoftLayer is to be asked what else holds it.
func (v VLANFacts) Alone(server int64, billing bool) bool {
	return (v.ID > 0 || !billing) && v.Known && !v.Others && only(v.Servers, server)
}

// Judge returns what stays billed when the server is gone.
func Judge(f Facts) Stays {
	s := Stays{Hidden: slices.Clone(f.Hidden), Unread: slices.Clone(f.Unread)}
	var found []Item
	for _, v := range f.Volumes {
		found = append(found, f.volume(v)...)
	}
	subnets := slices.Clone(f.Subnets)
	var vlans []Item
	for _, v := range f.VLANs {
		if !v.Alone(f.Server, f.Billing) {
			s.missVLANs(v, f.Billing)
			continue
		}
		switch {
		case !v.Asked:
			s.Unread = append(s.Unread, VLAN)
		case !leavesEmpty(v.Reasons):
			continue
		case v.ID == 0: // whether it is a premium one is not visible
			s.Hidden = append(s.Hidden, VLAN)
		default:
			vlans = append(vlans, f.items(VLAN, v.Charge)...)
		}
		subnets = append(subnets, v.Subnets...)
	}
	found = append(append(found, f.items(Subnet, subnets...)...), vlans...)
	s.Hidden, s.Unread = inOrder(s.Hidden), inOrder(s.Unread)
	return s.With(found...)
}

// missVLANs notes that it is not visible who is on a VLAN, if that one is billed or may be.
func (s *Stays) missVLANs(v VLANFacts, billing bool) {
	if !v.Known && (v.ID > 0 || !billing) {
		s.Hidden = append(s.Hidden, VLAN)
	}
}

// volume returns a volume that only this server may use, with its replicas.
func (f Facts) volume(v VolumeFacts) []Item {
	if v.Others || v.Known && !only(v.Servers, f.Server) {
		return nil
	}
	items := f.items(Volume, append([]Charge{v.Charge}, v.Replicas...)...)
	for i := range items {
		items[i].Shared = !v.Known
	}
	return items
}

// items returns what is billed on its own, or may be.
func (f Facts) items(kind Kind, charges ...Charge) []Item {
	var items []Item
	for _, c := range charges {
		if !c.Ended && (c.ID > 0 || !f.Billing) {
			items = append(items, Item{Kind: kind, ID: c.ID, Name: c.Name, Fee: c.Fee})
		}
	}
	return items
}

// maxName is how much of a name is kept, in characters.
const maxName = 60

func short(name string) string {
	if letters := []rune(name); len(letters) > maxName {
		return string(letters[:maxName-1]) + "…"
	}
	return name
}

// only reports whether a list names this server and no other.
func only(servers []int64, server int64) bool {
	return !slices.ContainsFunc(servers, func(id int64) bool { return id != server })
}

// ours are the reasons that hold a VLAN only as long as this server is there, or that are billed on
// with it. The first wording is recorded:
// https://github.com/softlayer/softlayer-python/blob/master/SoftLayer/fixtures/SoftLayer_Network_Vlan.py
var ours = regexp.MustCompile(`^\s*(1 bare metal server\(s\)|\d+ secondary subnet\(s\)) still on the VLAN\b`)

// leavesEmpty reports whether nothing else than this server and subnets holds the VLAN.
func leavesEmpty(reasons []string) bool {
	return !slices.ContainsFunc(reasons, func(reason string) bool { return !ours.MatchString(reason) })
}

// inOrder returns kinds each once, in the order of [Kinds]; nil for none.
func inOrder(kinds []Kind) []Kind {
	if len(kinds) == 0 {
		return nil
	}
	return slices.DeleteFunc(Kinds(), func(kind Kind) bool { return !slices.Contains(kinds, kind) })
}
