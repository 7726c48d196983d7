package fakeslack

// recent remembers the latest so many things by id and forgets the oldest.
type recent[K comparable, V any] struct {
	limit int
	byID  map[K]V
	order []K
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, byID: make(map[K]V)}
}

// put remembers a thing under an id that is not known yet.
func (r *recent[K, V]) put(id K, thing V) {
	r.byID[id] = thing
	r.order = append(r.order, id)
	if len(r.order) > r.limit {
		delete(r.byID, r.order[0])
		r.order = r.order[1:]
	}
}

// get returns the thing of this id, the zero value if it is unknown or forgotten.
func (r *recent[K, V]) get(id K) V { return r.byID[id] }
