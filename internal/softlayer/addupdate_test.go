package softlayer_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/softlayer"
)

func TestEveryAnswerToAnUpdateMeansOneThing(t *testing.T) {
	t.Parallel()
	for sentence, r := range map[string]reply{
		"a list of updates is there":            {200, nil, `[{"id":5}]`, cancellation.Made, nil},
		"two updates are there":                 {200, nil, `[{"id":5},{"id":6}]`, cancellation.Made, nil},
		"a missing right is refused":            {500, nil, exception(noRight), cancellation.Refused, nil},
		"a denied permission is refused":        {403, nil, `{"error":"no","code":"SoftLayer_Exception_PermissionDenied"}`, cancellation.Refused, nil},
		"the rate limit made nothing":           {500, nil, exception(limited), cancellation.NotMade, nil},
		"refused credentials made nothing":      {401, nil, `{"error":"Access Denied."}`, cancellation.NotMade, nil},
		"an empty list is lost":                 {200, nil, `[]`, cancellation.AnswerLost, nil},
		"an object is lost":                     {200, nil, `{"id":5}`, cancellation.AnswerLost, nil},
		"an update without an id is lost":       {200, nil, `[{"id":5},{}]`, cancellation.AnswerLost, nil},
		"an update with a bad id is lost":       {200, nil, `[{"id":0}]`, cancellation.AnswerLost, nil},
		"a ticket that is not found is lost":    {404, nil, `{"error":"x","code":"SoftLayer_Exception_ObjectNotFound"}`, cancellation.AnswerLost, nil},
		"a closed ticket's refusal is lost":     {500, nil, exception("This ticket is closed and cannot be updated."), cancellation.AnswerLost, nil},
		"null is lost":                          {200, nil, `null`, cancellation.AnswerLost, nil},
		"a page is lost":                        {502, nil, `<html>`, cancellation.AnswerLost, nil},
		"a list with a status that says no too": {500, nil, `[{"id":5}]`, cancellation.AnswerLost, nil},
		"a redirect is not followed":            {307, map[string]string{"Location": "/elsewhere"}, ``, cancellation.AnswerLost, nil},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, r.write)
			outcome := softlayer.NewWriter(v.client(t)).AddUpdate(t.Context(), 153572280, "Contract 7.")
			assert.Equal(t, r.kind, outcome.Kind, outcome.Text)
			require.Len(t, v.received(), 1, "one POST")
		})
	}
}

func TestUpdateAfterItsTimeIsNotSent(t *testing.T) {
	t.Parallel()
	v := newVendor(t, reply{200, nil, `[{"id":5}]`, "", nil}.write)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Equal(t, cancellation.NotMade, softlayer.NewWriter(v.client(t)).AddUpdate(over, 153572280, "Contract 7.").Kind)
	assert.Equal(t, cancellation.NotMade, softlayer.NewWriter(v.client(t)).AddUpdate(t.Context(), 0, "Contract 7.").Kind)
	assert.Equal(t, cancellation.NotMade, softlayer.NewWriter(v.client(t)).AddUpdate(t.Context(), 153572280, " \n").Kind)
	assert.Empty(t, v.received())
}
