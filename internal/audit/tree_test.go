package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

// stored keeps all hashes of a tree, as tlog wants them.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) (all []tlog.Hash, err error) {
	for _, i := range indexes {
		all = append(all, s[i])
	}
	return all, nil
}

func TestFrontierHasTheRootOfRFC6962(t *testing.T) {
	t.Parallel()
	var all stored
	var f Frontier
	for n := range int64(600) {
		root, err := tlog.TreeHash(n, all)
		require.NoError(t, err)
		require.Equal(t, root, f.Root(), "of %d leaves", n)
		kept, err := ParseFrontier(n, f.Bytes())
		require.NoError(t, err)
		require.Equal(t, f, kept, "as a column keeps it")
		leaf := fmt.Appendf(nil, "leaf %d", n)
		hashes, err := tlog.StoredHashes(n, leaf, all)
		require.NoError(t, err)
		all = append(all, hashes...)
		f.Add(tlog.RecordHash(leaf))
	}
	_, err := ParseFrontier(3, make([]byte, tlog.HashSize))
	assert.ErrorContains(t, err, "do not fit")
}

// The format of a leaf is a contract with everyone who keeps a checkpoint. docs/audit.md shows this one.
func TestALeafKeepsItsFormat(t *testing.T) {
	t.Parallel()
	e := Event{
		Source: OfRequest, Request: "r1", Number: 3, At: time.UnixMilli(1764432000123), Kind: "approved", From: "pending", To: "scheduled",
		Actor: "T0/U0RAJ", Detail: "infra-leads", Seal: Seal{Position: 17, Salt: []byte("0123456789abcdef")},
	}
	assert.Equal(t, `cancel-server event 1
position 17
source 7 request
request 2 r1
number 3
at 1764432000123
kind 8 approved
from 7 pending
to 9 scheduled
subject 0 
actor 96fb5016d3297ebdac902b7a7cd98c211f7524e734c351ae9add5ccc84430f28
detail 7f82521ca8da265c3177475b8ae6fe58754e2aeefc83dc35ee2b7d110fedc244
`, string(e.Leaf()))
}

func TestErasedTextLeavesTheLeaf(t *testing.T) {
	t.Parallel()
	e := Event{Source: OfDeployment, Number: 1, Kind: KindFreeze, Actor: "T0/U0RAJ", Detail: "Ana asked"}
	e.seal(1)
	actor, detail := e.digests()
	erased := e
	erased.Actor, erased.Detail, erased.Salt, erased.Erased = "", "", nil, append(actor[:], detail[:]...)
	assert.Equal(t, e.Hash, tlog.RecordHash(erased.Leaf()))
	assert.NotContains(t, string(e.Leaf()), "Ana")
}
