package fakeslack

// apiError is a refusal in the words of the Web API.
type apiError struct {
	word       string
	messages   []string // response_metadata.messages
	extra      answer
	retryAfter int // seconds, for ratelimited only
	broken     []Broken
}

// fail returns the refusal with this error word.
func fail(word string) *apiError { return &apiError{word: word} }

// because adds what Slack says in response_metadata, and records it as a rule broken.
func (e *apiError) because(messages ...string) *apiError {
	e.messages = append(e.messages, messages...)
	for _, m := range messages {
		e.broken = append(e.broken, Broken{Rule: m, Source: "https://docs.slack.dev/reference/block-kit"})
	}
	return e
}

// broke records that the caller did what no correct bot does.
func (e *apiError) broke(rule, source string) *apiError {
	e.broken = append(e.broken, Broken{Rule: rule, Source: source})
	return e
}

func (e *apiError) body() []byte {
	object := answer{"ok": false, "error": e.word}
	for k, v := range e.extra {
		object[k] = v
	}
	if len(e.messages) > 0 {
		object["response_metadata"] = answer{"messages": e.messages}
	}
	return encode(object)
}
