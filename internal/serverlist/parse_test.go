package serverlist_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"cancel-server/internal/serverlist"
)

// texts are those of entries. A problem stands before its text.
func texts(l serverlist.List) (all []string) {
	for _, e := range l.Entries {
		text := e.Text
		if e.Problem != "" {
			text = string(e.Problem) + " " + text
		}
		all = append(all, text)
	}
	return all
}

func parsed(t *testing.T, inputs ...string) serverlist.List {
	t.Helper()
	l, err := serverlist.Parse(inputs...)
	require.NoError(t, err, "%q", inputs)
	return l
}

func TestNamesAreUnderstoodAsPeoplePasteThem(t *testing.T) {
	t.Parallel()
	two := []string{"web-01", "web-02"}
	for _, test := range []struct {
		what, text string
		want       []string
	}{
		{"nothing", " \n\t", nil},
		{"one name", "web-01", []string{"web-01"}},
		{"lines", "web-01\nweb-02\n", two},
		{"lines of Windows", "web-01\r\nweb-02\r\n", two},
		{"lines of an old Mac", "web-01\rweb-02", two},
		{"lines of a word processor", "web-01\u2028web-02\u2029", two},
		{"commas", "web-01,web-02", two},
		{"commas and spaces", "web-01, web-02,", two},
		{"semicolons", "web-01;web-02;", two},
		{"tabs", "web-01\tweb-02", two},
		{"spaces", "  web-01   web-02 ", two},
		{"spaces that do not break", "web-01\u00a0web-02", two},
		{"commas of other keyboards", "web-01、web-02，", two},
		{"double quotes", `"web-01" "web-02"`, two},
		{"single quotes", "'web-01', 'web-02'", two},
		{"quotes of phones", "“web-01” ‘web-02’", two},
		{"quotes of other languages", "„web-01“ «web-02»", two},
		{"quotes around all", `"web-01, web-02"`, two},
		{"code", "`web-01` ```\nweb-02\n```", two},
		{"dashes before", "- web-01\n- web-02", two},
		{"dashes of phones before", "– web-01\n— web-02", two},
		{"dots before", "• web-01\n•web-02", two},
		{"stars before", "* web-01\n* web-02", two},
		{"numbers before", "1. web-01\n2. web-02", two},
		{"numbers in brackets before", "1) web-01\n(2) web-02", two},
		{"numbers on lines of their own", "1.\nweb-01\n2.\nweb-02", two},
		{"brackets around", "(web-01) [web-02]", two},
		{"an address in brackets behind", "web-01 (10.0.0.1)", []string{"web-01", "10.0.0.1"}},
		{"a link", "<http://web-01.example.com|web-01.example.com>", []string{"web-01.example.com"}},
		{"a link with no text", "<http://web-01.example.com>", []string{"web-01.example.com"}},
		{"a link with a slash", "<https://web-01.example.com/|https://web-01.example.com/>", []string{"web-01.example.com"}},
		{"a link with a port", "http://web-01.example.com:8443", []string{"web-01.example.com"}},
		{"a link to a page is no server", "https://example.com/web-01", []string{"https://example.com/web-01"}},
		{"links next to each other", "<http://a-1.example.com|a-1.example.com>,<http://a-2.example.com|a-2.example.com>", []string{"a-1.example.com", "a-2.example.com"}},
		{"an address of mail", "<mailto:root@web-01.example.com|root@web-01.example.com>", []string{"root@web-01.example.com"}},
		{"an address of mail with no text", "<mailto:root@web-01>", []string{"root@web-01"}},
		{"markup as Slack writes it", "web-01 &amp; &lt;web-02&gt;", two},
		{"markup that was written twice stays", "a&amp;amp;b-1", []string{"a&amp", "b-1"}},
		{"spaces without width", "web\u200b-01\ufeff web-02\u2060", two},
		{"signs next to names", "✅\ufe0f web-01\ufe0f → web-02", two},
		{"marks of direction without effect", "\u200eweb-01\u200f", []string{"web-01"}},
		{"ids", "1234567 7654321", []string{"1234567", "7654321"}},
		{"IPv4 addresses", "10.0.0.1;198.18.0.1", []string{"10.0.0.1", "198.18.0.1"}},
		{"IPv6 addresses", "2607:f0d0:1002:51::4 [2607:f0d0:1002:51::5] dead::beef", []string{"2607:f0d0:1002:51::4", "2607:f0d0:1002:51::5", "dead::beef"}},
		{"a card's address is no query", "aa:bb:cc:dd:ee:ff", []string{"aa:bb:cc:dd:ee:ff"}},
		{"several at once are not guessed", "web-[01-40] db-{1..3} app-* db-04…", []string{"web-[01-40]", "db-{1..3}", "app-*", "db-04…"}},
		{"names of other scripts", "сервер-1, wéb-2", []string{"сервер-1", "wéb-2"}},
		{"an apostrophe within", "ana's", []string{"ana's"}},
		{"quotes that do not match", `"web-01, web-02`, two},
		{"angle brackets that do not match", "<web-01 <<web-02>>", two},
		{"a mention", "<@U0123|ana> <!channel>", []string{"ana", "!channel"}},
	} {
		assert.Equal(t, test.want, texts(parsed(t, test.text)), test.what)
	}
}

func TestHeaderIsNoServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text     string
		want     []string
		headings []string
	}{
		{"hostname\nweb-01", []string{"web-01"}, []string{"hostname"}},
		{"Server\r\nweb-01\r\nserver", []string{"web-01", "server"}, []string{"Server"}},
		{"\"Host Name\"\nweb-01", []string{"web-01"}, []string{"Host", "Name"}},
		{"Servers: web-01, web-02", []string{"web-01", "web-02"}, []string{"Servers:"}},
		{"IP Address\n10.0.0.1", []string{"10.0.0.1"}, []string{"IP", "Address"}},
		{"dc\ndc2", []string{"dc", "dc2"}, nil}, // a domain controller
		{"host dc status: dc2", []string{"dc2"}, []string{"host", "dc", "status:"}},
		{"server", []string{"server"}, nil}, // there is nothing else: somebody may call one so
		{"name;id;ip", []string{"name", "id", "ip"}, nil},
		{"name;id;rack", []string{"rack"}, []string{"name", "id"}},
		{"tag:x\nname", []string{"name"}, nil},
	} {
		l := parsed(t, test.text)
		assert.Equal(t, test.want, texts(l), test.text)
		assert.Equal(t, test.headings, l.Headings, test.text)
	}
	assert.Equal(t, []string{"web-01", "web-02"}, texts(parsed(t, "name\nweb-01", "hostname\nweb-02")), "each input has its own")
	assert.Equal(t, []string{"web-01", "dc", "web-02"}, texts(parsed(t, "name\nweb-01", "dc\nweb-02")), "and none is that of another")
}

func TestRowOfATableIsOneServer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what, text string
		want       []string // the entry, and after a slash what else its row says
		ignored    []string
	}{
		{"semicolons", "name;id;ip\nweb-01;1234567;10.0.0.1\nweb-02;1234568;10.0.0.2", []string{"1234567/web-01/10.0.0.1", "1234568/web-02/10.0.0.2"}, nil},
		{"no id", "hostname,primary_ip\nweb-01,198.18.0.1", []string{"web-01/198.18.0.1"}, nil},
		{"the full name first", "hostname,fqdn\nweb-01,web-01.example.com", []string{"web-01.example.com/web-01"}, nil},
		{"an address alone", "ip\tlocation\n10.0.0.1\tfra02", []string{"10.0.0.1"}, []string{"location"}},
		{"quotes", "\"Device Name\",\"Location\",\"Public IP\"\r\n\"web-01.example.com\",\"Frankfurt 2, pod 1\",\"198.18.0.1\"", []string{"web-01.example.com/198.18.0.1"}, []string{"Location"}},
		{"quotes of phones", "“name”;“id”\n“web-01”;“1234567”", []string{"1234567/web-01"}, nil},
		{"columns of any name", "Device Name,Public IP,Power Status,RAM (GB)\nweb-01,198.18.0.1,on,64", []string{"web-01/198.18.0.1"}, []string{"Power Status", "RAM (GB)"}},
		{
			"slcli", "id        hostname  primary_ip  backend_ip  datacenter  action\n1234567   web-01    198.18.0.1  10.0.0.1    dal13       -\n1234568 web-02 - 10.0.0.2 dal13 -",
			[]string{"1234567/web-01/198.18.0.1/10.0.0.1", "1234568/web-02/10.0.0.2"},
			[]string{"datacenter", "action"},
		},
		{
			"slcli's frame", "┌─────────┬──────────┐\n│    id   │ hostname │\n├─────────┼──────────┤\n│ 1234567 │  web-01  │\n└─────────┴──────────┘",
			[]string{"1234567/web-01"},
			nil,
		},
		{"slcli's older frame", ":.........:..........:\n:    id   : hostname :\n:.........:..........:\n: 1234567 :  web-01  :\n:.........:..........:", []string{"1234567/web-01"}, nil},
		{"Markdown", "| id | name |\n|---|---|\n| 1234567 | web-01 |\n|  | web-02 |", []string{"1234567/web-01", "web-02"}, nil},
		{"empty cells", "id;name;ip\n;web-01;\n-;null;10.0.0.2\n;;", []string{"web-01", "10.0.0.2"}, nil},
		{"fewer cells", "id;name;ip\n1234567\n1234568;web-02", []string{"1234567", "1234568/web-02"}, nil},
		{"rows that do not fit", "name;ip\n10.0.0.1;web-01\nweb-02;10.0.0.2;web-03\nweb-04 web-05;10.0.0.4", []string{"10.0.0.1", "web-01", "web-02", "10.0.0.2", "web-03", "web-04", "web-05", "10.0.0.4"}, nil},
		{"a server called host", "name;id\nhost;\nname;7", []string{"host", "7/name"}, nil},
		{"no header", "web-01;1234567;10.0.0.1", []string{"web-01", "1234567", "10.0.0.1"}, nil},
		{"a list with an unknown word is no table", "host, db\nweb, cache", []string{"db", "web", "cache"}, nil},
		{"nor with one that is known", "host, db, status\nweb, cache, up", []string{"db", "status", "web", "cache", "up"}, nil},
		{"nor with one between spaces", "hostname datacenter\nweb-01 dal13", []string{"web-01", "dal13"}, nil},
		{"quotes that do not match", "name;id\n\"web-01;1234567", []string{"1234567/web-01"}, nil},
		{"columns that say the same are no table", "name, server\nweb-01, web-02", []string{"web-01", "web-02"}, nil},
	} {
		l := parsed(t, test.text)
		var found []string
		for _, e := range l.Entries {
			assert.Empty(t, e.Problem, test.what)
			found = append(found, strings.Join(append([]string{e.Text}, e.Also...), "/"))
		}
		assert.Equal(t, test.want, found, test.what)
		assert.Equal(t, test.ignored, l.Ignored, test.what)
	}
}

func TestWhatIsLeftOutIsCounted(t *testing.T) {
	t.Parallel()
	l := parsed(t, "- web-01\n- WEB-01.\n- web-02\n2607:f0d0::1, 2607:F0D0:0::1 ::ffff:10.0.0.1 10.0.0.1\n3. web–02 tag:Prod TAG:prod", "web-01")
	assert.Equal(t, []string{"web-01", "web-02", "2607:f0d0::1", "::ffff:10.0.0.1"}, texts(l))
	assert.Equal(t, 6, l.Repeated)
	assert.Equal(t, 4, l.Marks)
	assert.Len(t, l.Queries, 1)
	assert.False(t, l.Full)
}

func TestTextThatMayBeCutIsNotGuessed(t *testing.T) {
	t.Parallel()
	filled := func(end string) string {
		names := strings.Repeat("app-1234\n", 400)
		return names[:serverlist.MaxInput-len(end)-1] + "\n" + end
	}
	for end, want := range map[string]string{
		"web-01": "may-be-cut web-01", "web-01\n": "web-01", "web-01,": "web-01", `"web-01"`: "web-01", "web-01 ": "web-01",
		"web-01 tag:sta": "may-be-cut tag:sta", "app-1234": "may-be-cut app-1234", "<http://web-01.example.com|web-0": "may-be-cut web-0",
	} {
		l := parsed(t, filled(end))
		assert.True(t, l.Full, end)
		assert.Equal(t, want, texts(l)[len(l.Entries)-1], end)
		assert.LessOrEqual(t, strings.Count(strings.Join(texts(l), " "), string(serverlist.MayBeCut)), 1, "nothing but the end")
		assert.Empty(t, l.Queries, end)
		shorter := parsed(t, filled(end)[1:])
		assert.False(t, shorter.Full, end)
		assert.NotContains(t, strings.Join(texts(shorter), " "), "may-be-cut", end)
	}
	rows := "name;id\n" + strings.Repeat("web-01;1234567\n", 200)
	for _, end := range []string{"web-02;12", "web-02", "web-02;1234568;"} {
		l := parsed(t, rows[:serverlist.MaxInput-len(end)-1-11]+"\n"+end+strings.Repeat(" ", 11))
		assert.Equal(t, serverlist.MayBeCut, l.Entries[len(l.Entries)-1].Problem, "the row that ends with %s", end)
	}
	l := parsed(t, strings.Repeat("é", 10)+" "+strings.Repeat("x ", 1494)+"a")
	assert.Equal(t, serverlist.MayBeCut, l.Entries[len(l.Entries)-1].Problem, "characters count, not bytes")
	l = parsed(t, "web-01", filled("web-02"))
	assert.Equal(t, "may-be-cut web-02", texts(l)[len(l.Entries)-1], "in a later input")
}

func TestHostileNamesAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"web\u202e10-":             "unreadable web\ufffd10-",
		"\u2066web-01\u2069":       "unreadable \ufffdweb-01\ufffd",
		"web\x00-01":               "unreadable web\ufffd-01",
		"web\x1b[31m-01":           "unreadable web\ufffd[31m-01",
		"web\xff-01":               "unreadable web\ufffd-01",
		"web\u3164-01":             "unreadable web\ufffd-01",
		"\x07":                     "unreadable \ufffd",
		strings.Repeat("x", 256):   "too-long " + strings.Repeat("x", 256),
		strings.Repeat("é", 256):   "too-long " + strings.Repeat("é", 256),
		strings.Repeat("x", 3_000): "may-be-cut " + strings.Repeat("x", 3_000),
	} {
		assert.Equal(t, []string{want}, texts(parsed(t, text)), "%.20q", text)
	}
	for _, longest := range []string{strings.Repeat("x", 255), strings.Repeat("é", 255)} {
		assert.Equal(t, []string{longest}, texts(parsed(t, longest)))
	}
}

func TestQueriesStandNextToNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"tag:staging":               {"tag:staging"},
		"TAG:Staging dc:CHE01":      {"tag:Staging", "dc:che01"},
		"pod:DAL09.pod03, closing:": {"pod:dal09.pod03", "closing:"},
		"tag: staging":              {"tag:staging"},
		"tag:env:prod":              {"tag:env:prod"},
		`tag:"two words" web-01`:    {`tag:"two words"`},
		"tag: “two words”":          {`tag:"two words"`},
		"tag:'staging'":             {"tag:staging"},
		"web-01\ndc:fra02\nweb-02":  {"dc:fra02"},
		"tag:a tag:A tag:b":         {"tag:a", "tag:b"},
	} {
		var found []string
		l := parsed(t, text)
		for _, q := range l.Queries {
			found = append(found, q.String())
		}
		assert.Equal(t, want, found, text)
		assert.Equal(t, strings.Count(text, "web-"), len(l.Entries), text)
	}
}

func TestWrongQueriesSayWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]serverlist.WrongQuery{
		"tags:staging":                    {Why: serverlist.UnknownWord, Meant: serverlist.Tag},
		"ppd:dal09.pod03":                 {Why: serverlist.UnknownWord, Meant: serverlist.Pod},
		"datacenter:fra02":                {Why: serverlist.UnknownWord},
		"clsing:x":                        {Why: serverlist.UnknownWord, Meant: serverlist.Closing},
		"tag:":                            {Why: serverlist.NoName},
		`dc:""`:                           {Why: serverlist.NoName},
		"pod:pod03":                       {Why: serverlist.NotAPlace},
		"dc:Chennai":                      {Why: serverlist.NotAPlace},
		"closing:fra02":                   {Why: serverlist.TakesNoName},
		"tag:\u202egnigats":               {Why: serverlist.BadName},
		"tag:" + strings.Repeat("x", 256): {Why: serverlist.BadName},
	} {
		l, err := serverlist.Parse("web-01 " + text)
		var wrong *serverlist.QueryError
		require.True(t, errors.As(err, &wrong), text)
		require.Len(t, wrong.Wrong, 1, text)
		assert.Equal(t, want.Why, wrong.Wrong[0].Why, text)
		assert.Equal(t, want.Meant, wrong.Wrong[0].Meant, text)
		assert.Equal(t, strings.ReplaceAll(text, "\u202e", "\ufffd"), wrong.Wrong[0].Text)
		assert.Empty(t, l.Queries, text)
		for _, word := range serverlist.Words() {
			assert.ErrorContains(t, err, string(word)+":")
		}
	}
}

func TestIDsAreWholeNumbersAboveZero(t *testing.T) {
	t.Parallel()
	for text, id := range map[string]int64{"1234567": 1234567, "0": 0, "-5": 0, "99999999999999999999": 0, "web-1": 0, "10.0.0.1": 0, "1\u202e2": 0} {
		assert.Equal(t, id, parsed(t, text).Entries[0].ID(), "%q", text)
	}
	assert.Zero(t, serverlist.Entry{Text: "12", Problem: serverlist.MayBeCut}.ID(), "it may be 123")
}

func TestOrderOfTheInputIsKept(t *testing.T) {
	t.Parallel()
	l := parsed(t, "web-03 web-01;web-02\nweb-01 tag:b dc:fra02 tag:a", "web-00 web-03")
	assert.Equal(t, []string{"web-03", "web-01", "web-02", "web-00"}, texts(l))
	assert.Equal(t, []serverlist.Query{{Word: "tag", Name: "b"}, {Word: "dc", Name: "fra02"}, {Word: "tag", Name: "a"}}, l.Queries)
}

func TestAnySeparatorsGiveTheSameList(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	separators := []string{"\n", "\r\n", ",", ", ", ";", "\t", " ", "\n- ", "\n1. ", "\" \"", "\u00a0", "` `", ",\n\n"}
	for range 300 {
		var want []string
		var text strings.Builder
		for n := range 1 + r.IntN(40) {
			name := []string{fmt.Sprintf("web-%d", n), fmt.Sprint(1_200_000 + n), fmt.Sprintf("10.0.0.%d", n), fmt.Sprintf("db-%d.example.com", n)}[r.IntN(4)]
			want = append(want, name)
			text.WriteString(name + separators[r.IntN(len(separators))])
		}
		assert.Equal(t, want, texts(parsed(t, text.String())), "%q", text.String())
	}
}

// holdsTogether fails unless entries are no longer than the text, and a list of the entries means the same list.
func holdsTogether(t *testing.T, text string) {
	t.Helper()
	l, err := serverlist.Parse(text)
	length := 0
	for _, e := range l.Entries {
		require.NotEmpty(t, e.Text)
		require.True(t, utf8.ValidString(e.Text))
		require.False(t, strings.ContainsAny(e.Text, "\n\r\t ,;<>|\""), "%q", e.Text)
		length += utf8.RuneCountInString(e.Text)
	}
	require.LessOrEqual(t, length, utf8.RuneCountInString(text))
	if err != nil {
		return
	}
	var lines []string
	for _, q := range l.Queries {
		lines = append(lines, q.String())
	}
	kept := l.Entries
	if n := len(kept); n > 0 && kept[n-1].Problem == serverlist.MayBeCut {
		kept = kept[:n-1]
	}
	for _, e := range kept {
		lines = append(lines, e.Text)
	}
	list := strings.Join(lines, "\n")
	if utf8.RuneCountInString(list) >= serverlist.MaxInput/2 { // it might be cut, now that it ends with another entry
		return
	}
	again, err := serverlist.Parse(list)
	require.NoError(t, err, "%q", text)
	require.Equal(t, l.Queries, again.Queries, "%q", text)
	if len(again.Headings) > 0 { // the first row of a table names a server that is called host
		require.NotEmpty(t, l.Headings, "%q", text)
		return
	}
	require.Equal(t, len(kept), len(again.Entries), "%q", text)
	for i, e := range again.Entries {
		require.Equal(t, kept[i].Text, e.Text, "%q", text)
		require.Equal(t, kept[i].Problem, e.Problem, "%q", text)
	}
}

// What people paste, in any order.
func TestListOfEntriesMeansTheSameList(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 9))
	parts := strings.Split("\n|\n|\r\n|,|, |;|\t| | |\"|'|`|“|”|‘|(|)|[|]|{|}|<|>|<http://|&amp;|&lt;|&gt;|&quot;|&#39;|&|:|tag:|TAG: |dc:|pod:|closing:|http://|https://|"+
		"mailto:|/|:80|1.|1)|-|–|•|*|.|..|…|name|id|ip|Server|hostname|location|web-01|WEB-01|web–01|1234567|10.0.0.1|::1|dead::beef|dal09.pod03|x|a b|é|\u200b|\u202e|\x00|\xff|\u00a0|\ufeff|\ufe0f", "|")
	parts = append(parts, "|", "│", "name;id;ip\n", "id\tname\n", "| id | name |\n")
	for range 20_000 {
		var text strings.Builder
		for range 1 + r.IntN(12) {
			text.WriteString(parts[r.IntN(len(parts))])
		}
		holdsTogether(t, text.String())
	}
}

// FuzzParse holds that no text makes reading it panic, and what [holdsTogether] does.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"web-01, web-02", "name;id;ip\nweb-01;1234567;10.0.0.1", "tag:a tag:\"b c\" <http://a.example.com|a.example.com>", "1. web-01\r\n(2) `web-02`",
		"“name”\t‘id’\n\u202e\x00\xff &amp;lt;", "name\nid\nweb", "<<a>|<b>> http://http://x/ [(x)] [1.]", strings.Repeat("x", 3_000), "tag: tag:x", "Servers: id: x",
		"::ffff:1.2.3.4 1.2.3.4. 1.2.3.4", "│ id │ name │\n│ 1 │ host │", "tag:tag:\"0\"0",
	} {
		f.Add(text)
	}
	f.Fuzz(holdsTogether)
}
