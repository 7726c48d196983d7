package softlayer_test

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

func TestAllServersAreListedByIDs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	var all []cancellation.Server
	for total := 1; len(all) < total; {
		page, of, err := f.Servers(t.Context(), len(all), 7)
		require.NoError(t, err)
		require.NotEmpty(t, page, "a page that ends before the whole does")
		all, total = append(all, page...), of
	}
	assert.True(t, slices.IsSortedFunc(all, func(x, y cancellation.Server) int { return cmp.Compare(x.ID, y.ID) }))
	assert.Len(t, slices.CompactFunc(all, func(x, y cancellation.Server) bool { return x.ID == y.ID }), 60)
	for _, server := range all {
		assert.NotEmpty(t, server.FQDN)
		assert.NotEmpty(t, server.Datacenter)
	}
}

func TestTheServersOfEachTagAreListed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	names, total, err := f.Tags(t.Context(), 0, 100)
	require.NoError(t, err)
	assert.Len(t, names, total)
	carried := map[int64][]string{}
	for id, name := range names {
		for offset, of := 0, 1; offset < of; offset += 3 {
			servers, references, err := f.Tagged(t.Context(), id, offset, 3)
			require.NoError(t, err)
			of = references
			for _, server := range servers {
				carried[server] = append(carried[server], name)
			}
		}
	}
	all, _, err := f.Servers(t.Context(), 0, 100)
	require.NoError(t, err)
	for _, light := range all {
		whole, err := f.Server(t.Context(), light.ID)
		require.NoError(t, err)
		assert.ElementsMatch(t, whole.Tags, carried[light.ID], "server %d: the tags of virtual servers are not its", light.ID)
		delete(carried, light.ID)
	}
	assert.Empty(t, carried, "what is no bare-metal server is left out")
	gone, total, err := f.Tagged(t.Context(), 1, 0, 100)
	require.NoError(t, err, "a tag that nothing carries any more")
	assert.Zero(t, total)
	assert.Empty(t, gone)
}

func TestListWithoutItsLengthIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, total := range map[string]string{"no number": "", "no count": "-1", "no digits": "many"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVendor(t, func(w http.ResponseWriter, _ received) {
				w.Header().Set("SoftLayer-Total-Items", total)
				_, _ = io.WriteString(w, light)
			})
			_, _, err := v.client(t).Servers(t.Context(), 0, 100)
			require.ErrorContains(t, err, "does not say how long it is")
		})
	}
}

func TestVirtualServerIsFoundByEveryName(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	fqdn := f.VirtualServer()
	for name, virtual := range map[string]bool{
		fqdn: true, "VM-001": true, " vm-001 ": true, "10.250.0.10": true, "203.0.113.10": true, "130000000": true,
		"vm-0": false, "vm-001.example": false, "10.250.0.1": false, "13000000": false, "99999999999999999999": false,
		"vm*": false, "": false,
	} {
		is, err := f.IsVirtual(t.Context(), name)
		require.NoError(t, err, name)
		assert.Equal(t, virtual, is, name)
	}
	server, err := f.Server(t.Context(), f.Cancelable())
	require.NoError(t, err)
	for _, name := range []string{server.FQDN, server.Hostname, server.PrivateIP, strconv.FormatInt(server.ID, 10)} {
		is, err := f.IsVirtual(t.Context(), name)
		require.NoError(t, err)
		assert.False(t, is, "%s is bare metal", name)
	}
}

func TestIgnoredFilterMakesNoServerVirtual(t *testing.T) {
	t.Parallel()
	v := newVendor(t, says(http.StatusOK, `[{"id":5,"hostname":"other","fullyQualifiedDomainName":"other.example.com"}]`))
	is, err := v.client(t).IsVirtual(t.Context(), "web-001")
	require.NoError(t, err)
	assert.False(t, is)
}

func TestVirtualIsUnknownWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, method := range []string{"SoftLayer_Account/getVirtualGuests", "SoftLayer_Virtual_Guest/getObject"} {
		require.NoError(t, f.Fault(method, "html", 1))
	}
	for _, name := range []string{"vm-001", "130000000"} {
		_, err := f.IsVirtual(t.Context(), name)
		require.Error(t, err, name)
	}
}
