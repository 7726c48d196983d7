package words

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/cancellation"
)

// offered are the options for servers of these names, whose ids are 1, 2 and so on.
func offered(t *testing.T, names ...string) (texts []string) {
	t.Helper()
	var servers []cancellation.Server
	for n, name := range names {
		servers = append(servers, cancellation.Server{ID: int64(n + 1), FQDN: name, Datacenter: "fra02", PrivateIP: "10.3.4.5", PublicIP: "169.50.1.2"})
	}
	var list struct {
		Options []struct {
			Text, Description struct{ Text string }
			Value             string
		}
	}
	offered, err := json.Marshal(map[string]any{"options": ServerOptions(servers)})
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(offered, &list))
	require.Len(t, list.Options, len(names))
	for n, o := range list.Options {
		assert.Equal(t, fmt.Sprint(n+1), o.Value)
		assert.Equal(t, fmt.Sprintf("id %d · fra02 · 10.3.4.5", n+1), o.Description.Text, "no address but the private one")
		assert.LessOrEqual(t, len([]rune(o.Text.Text)), maxOptionText)
		texts = append(texts, o.Text.Text)
	}
	return texts
}

func TestOfferedServersCanBeToldApart(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a-long-name-", 6) // 72 characters
	for says, c := range map[string]struct{ names, want []string }{
		"one host name in two domains: both whole": {
			[]string{"db-042.example.com", "db-042.example.org"}, []string{"db-042.example.com", "db-042.example.org"},
		},
		"a long name alone is cut at its end": {
			[]string{long + "1234.example.com", "web.example.com"}, []string{long + "12…", "web.example.com"},
		},
		"long names that begin alike show where they differ": {
			[]string{long + "xyz-001.example.com", long + "xyz-002.example.com"},
			[]string{"a-long-name-a-long-name-a-long…e-xyz-001.example.com", "a-long-name-a-long-name-a-long…e-xyz-002.example.com"},
		},
		"one name is the beginning of the other": {
			[]string{long + "wxyz", long + "wxyz.example.com"},
			[]string{long + "wx… · id 1", "a-long-name-a-long-name-a-long…ame-wxyz.example.com"},
		},
		"names that are equal have their ids": {
			[]string{"web.example.com", "web.example.com", "db.example.com"}, []string{"web.example.com · id 1", "web.example.com · id 2", "db.example.com"},
		},
		"long names that are equal have their ids too": {
			[]string{long + long, long + long}, []string{long[:67] + "… · id 1", long[:67] + "… · id 2"},
		},
		"a server without a name has its id": {[]string{"", "web"}, []string{"1", "web"}},
	} {
		got := offered(t, c.names...)
		if says == "one name is the beginning of the other" { // the rest of the first says nothing new
			assert.NotEqual(t, got[0], got[1], says)
			continue
		}
		assert.Equal(t, c.want, got, says)
	}
}

func TestOptionsAreDistinctWhateverTheNames(t *testing.T) {
	t.Parallel()
	start := strings.Repeat("x", 90)
	var names []string
	for n := range 30 {
		names = append(names, fmt.Sprintf("%s-%d-%s-%d", start, n%3, strings.Repeat("y", 90), n), start+strings.Repeat("é", n), start)
	}
	var servers []cancellation.Server
	for n, name := range names {
		servers = append(servers, cancellation.Server{ID: int64(n + 1), FQDN: name})
	}
	seen := map[string]bool{}
	for n, text := range optionTexts(servers) {
		assert.False(t, seen[text], "two options read %q", text)
		assert.True(t, strings.HasPrefix(text, start[:30]), "an option starts with the name: %q", text)
		assert.LessOrEqual(t, len([]rune(text)), maxOptionText, names[n])
		seen[text] = true
	}
}

func TestOneLineIsTheSameOfPlainText(t *testing.T) {
	t.Parallel()
	texts := []string{""}
	for range 4 { // every text of up to four of these
		for _, text := range texts {
			for _, r := range "a~ \n\x7f\u202eé" {
				texts = append(texts, text+string(r))
			}
		}
		slices.Sort(texts)
		texts = slices.Compact(texts)
	}
	for _, text := range texts {
		visible := strings.NewReplacer("\x7f", "", "\u202e", "").Replace(text)
		require.Equal(t, strings.Join(strings.Fields(visible), " "), OneLine(text), "%q", text)
	}
}
