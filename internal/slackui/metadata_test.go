package slackui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/serverlist"
	"cancel-server/internal/slackui/slacktest"
)

// memoryShelf is a cards that a test can look at.
type memoryShelf map[string][]byte

func (m memoryShelf) KeepCard(_ context.Context, digest string, data []byte) error {
	m[digest] = data
	return nil
}

func (m memoryShelf) Card(_ context.Context, digest string) ([]byte, error) {
	if data, found := m[digest]; found {
		return data, nil
	}
	return nil, errors.New("gone")
}

func someMetadata(tags int) metadata {
	server := slacktest.DBServer()
	random := rand.New(rand.NewPCG(3, 4))
	for range tags {
		server.Tags = append(server.Tags, fmt.Sprintf("%x", random.Uint64()))
	}
	return metadata{
		Channel: "C1", ChannelName: "infra", ResponseURL: "https://hooks.slack.com/commands/T1/2/abc", Until: slacktest.Noon.Add(responseLife),
		By: cancellation.Person{Team: "T1", ID: "U1", Name: "Ana"},
		Card: &cancellation.Card{
			Server: server, Account: cancellation.Account{ID: "1", Name: "acme"}, ReadAt: slacktest.Noon.Add(123456 * time.Nanosecond),
			Cutoff: "2026-11-28T23:59:59-06:00", ShortNameUnique: true,
			Standing: &cancellation.Standing{RequestID: "r", Version: 3, Ref: "7F3K-2QXD", State: cancellation.Filed, Ticket: cancellation.TicketID{ID: 5}},
		},
	}
}

func TestMetadataComesBackAsItWent(t *testing.T) {
	t.Parallel()
	for _, tags := range []int{0, 60, 2000} { // in the form, or in the card store
		cards := memoryShelf{}
		s := sealer{key: []byte("key"), cards: cards}
		m := someMetadata(tags)
		sealed, err := s.seal(t.Context(), m)
		require.NoError(t, err)
		assert.LessOrEqual(t, len(sealed), maxMetadata)
		opened, err := s.open(t.Context(), sealed, "U1")
		require.NoError(t, err)
		m.CardDigest = opened.CardDigest
		assert.Equal(t, m, opened)
		assert.Equal(t, tags == 2000, len(cards) == 1, "only what does not fit is stored")
		assert.Equal(t, m.Card.Server.Digest(true), opened.Card.Server.Digest(true), "the same server has the same request id")
	}
}

func TestMetadataThatIsNotOursDoesNotOpen(t *testing.T) {
	t.Parallel()
	s := sealer{key: []byte("key"), cards: memoryShelf{}}
	sealed, err := s.seal(t.Context(), someMetadata(0))
	require.NoError(t, err)
	for i := range sealed {
		changed := []byte(sealed)
		changed[i] ^= 1
		_, err := s.open(t.Context(), string(changed), "U1")
		require.ErrorIs(t, err, errNotOurs, "with another character at %d", i)
	}
	_, err = s.open(t.Context(), sealed, "U2")
	require.ErrorIs(t, err, errNotOurs, "for another person")
	_, err = sealer{key: []byte("other")}.open(t.Context(), sealed, "U1")
	require.ErrorIs(t, err, errNotOurs, "of another installation")
	_, err = sealer{}.open(t.Context(), sealer{}.sign([]byte(`{"b":{"ID":"U1"}}`)), "U1")
	require.ErrorIs(t, err, errNotOurs, "without a key nothing is ours")
	_, err = sealer{}.seal(t.Context(), metadata{})
	require.Error(t, err)
}

func TestDeletedCardIsMissingNotInvented(t *testing.T) {
	t.Parallel()
	cards := memoryShelf{}
	s := sealer{key: []byte("key"), cards: cards}
	sealed, err := s.seal(t.Context(), someMetadata(2000))
	require.NoError(t, err)
	for digest := range cards {
		cards[digest] = []byte(`{"Server":{"ID":1}}`)
	}
	m, err := s.open(t.Context(), sealed, "U1")
	require.Error(t, err)
	assert.NotErrorIs(t, err, errNotOurs, "the form itself is good")
	assert.Nil(t, m.Card)
	assert.Equal(t, "C1", m.Channel, "and the result still has its place")
}

func TestLargeListsAreKept(t *testing.T) {
	t.Parallel()
	s := newStage(t, withLists)
	var d draft
	for id := range int64(cancellation.MostRows) {
		server := slacktest.DBServer()
		server.ID, server.Hostname, server.FQDN = id+1, strings.Repeat("h", 63), strings.Repeat("h", 250)+fmt.Sprint(id)
		server.Gateway, server.LastTransaction, server.LastTransactionAt = true, "Reclaim", server.ProvisionDate
		for n := range 100 {
			server.Tags = append(server.Tags, fmt.Sprintf("%s%d", strings.Repeat("<", 200), n))
			server.Partners = append(server.Partners, fmt.Sprintf("%s%d", strings.Repeat("p", 60), n))
			server.Billing.Associated = append(server.Billing.Associated, cancellation.AssociatedItem{ID: int64(n), Description: strings.Repeat("&", 255), Fee: "1234.56"})
		}
		d.note(cancellation.CardRead{Server: server.ID, Card: cancellation.Card{Server: server, ReadAt: slacktest.Noon}})
		d.List.Rows = append(d.List.Rows, serverlist.Row{State: serverlist.Found, Server: serverlist.Server{ID: server.ID, FQDN: server.FQDN, Tags: server.Tags}})
	}
	name, err := s.app.keepDraft(t.Context(), d)
	require.NoError(t, err)
	kept, err := s.app.draft(t.Context(), name)
	require.NoError(t, err)
	assert.Equal(t, d, kept)
}

func TestListsOfAnyLengthComeBack(t *testing.T) {
	t.Parallel()
	empty, err := json.Marshal(draft{})
	require.NoError(t, err)
	for _, length := range []int{len(empty), maxKept - 1, maxKept, maxKept + 1, 2 * maxKept, 2*maxKept + 1} {
		shelf := memoryShelf{}
		a := &App{sealer: sealer{cards: shelf}}
		var d draft
		d.Content = strings.Repeat("x", length-len(empty))
		name, err := a.keepDraft(t.Context(), d)
		require.NoError(t, err)
		for part, data := range shelf {
			assert.LessOrEqual(t, len(data), maxKept, part)
		}
		kept, err := a.draft(t.Context(), name)
		require.NoError(t, err, length)
		assert.Equal(t, d, kept)
		if length > maxKept {
			delete(shelf, partOf(name, 1))
			_, err = a.draft(t.Context(), name)
			require.Error(t, err, "half a list is no list")
		}
	}
}
