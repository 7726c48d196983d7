package serverlist

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// link is a link in a message's text: docs.slack.dev/messaging/formatting-message-text
var link = regexp.MustCompile(`<([^<>|\n]*)(?:\|([^<>\n]*))?>`)

// entities are what Slack writes for the characters of its markup, and others write for quotes and spaces.
var entities = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&nbsp;", " ")

// clean returns a text whose lines end with "\n" and whose only other white space is a space or a tab. It has
// neither markup of links nor characters without width, and plain quotes. What cannot be shown as it is
// becomes U+FFFD.
func clean(text string) string {
	text = strings.Map(visible, strings.ToValidUTF8(text, string(utf8.RuneError)))
	return link.ReplaceAllStringFunc(entities.Replace(text), func(found string) string {
		parts := link.FindStringSubmatch(found)
		if parts[2] != "" {
			return parts[2]
		}
		return strings.TrimPrefix(parts[1], "mailto:")
	})
}

// Characters that are read as others.
const (
	lineEnds     = "\r\v\f\u0085\u2028\u2029"
	doubleQuotes = "“”„‟«»″＂"
	singleQuotes = "‘’‚‛‹›′´"
	bars         = "│┃║｜"
	commas       = "，、；"
	bullets      = "•◦▪‣●○■□·∙⁃"
	blanks       = "\u115f\u1160\u2800\u3164\uffa0" // letters by their class, and nothing is seen of them
	directions   = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)

func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t':
		return r
	case strings.ContainsRune(lineEnds, r):
		return '\n'
	case strings.ContainsRune(doubleQuotes, r):
		return '"'
	case strings.ContainsRune(singleQuotes, r):
		return '\''
	case strings.ContainsRune(bars, r):
		return '|'
	case strings.ContainsRune(commas, r):
		return ','
	case strings.ContainsRune(bullets, r) || unicode.IsSpace(r):
		return ' '
	case strings.ContainsRune(blanks+directions, r) || unicode.IsControl(r):
		return utf8.RuneError
	case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r):
		return -1
	}
	return r
}
