package webapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

func TestViewIsSentAsSlackGoEncodesIt(t *testing.T) {
	t.Parallel()
	view := slacktest.Modal()
	view.PrivateMetadata, view.CallbackID, view.ExternalID = "m<&>", "c", "e"
	view.ClearOnClose, view.NotifyOnClose = true, true
	theirs, err := json.Marshal(view)
	require.NoError(t, err)
	ours, err := json.Marshal(asSent(view))
	require.NoError(t, err)
	assert.JSONEq(t, string(theirs), string(ours))
}
