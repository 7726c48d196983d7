package authz

// WithoutIndex returns the same policy, of which every rule is evaluated for every question.
func (p *Policy) WithoutIndex() *Policy {
	whole := *p
	whole.index = nil
	return &whole
}
