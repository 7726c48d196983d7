package webapi

import (
	"encoding/json"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/slackui/slacktest"
)

func TestViewIsSentAsSlackGoEncodesIt(t *testing.T) {
	t.Parallel()
	view := slacktest.Modal()
	view.PrivateMetadata, view.CallbackID, view.ExternalID = "m<&>", "c", "e"
	view.ClearOnClose, view.NotifyOnClose = true, true
	view.Blocks.BlockSet = append(view.Blocks.BlockSet, slack.NewRichTextBlock("r", slack.NewRichTextSection(slack.NewRichTextSectionTextElement("a<b", nil))))
	theirs, err := json.Marshal(map[string]any{"trigger_id": "1.2", "view": view})
	require.NoError(t, err)
	ours, err := viewRequest{TriggerID: "1.2", View: sentView{ModalViewRequest: view}}.encoded()
	require.NoError(t, err)
	assert.JSONEq(t, string(theirs), string(ours))
}
