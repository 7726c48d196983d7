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

// readAs are characters that are read as another one.
var readAs = func() map[rune]rune {
	all := map[rune]rune{'\t': '\t', '\n': '\n'}
	for as, characters := range map[rune]string{
		'\n': "\r\v\f\u0085\u2028\u2029",
		'"':  "“”„‟«»″＂",
		'\'': "‘’‚‛‹›′´",
		'|':  "│┃║｜",
		',':  "，、；",
		' ':  "•◦▪‣●○■□·∙⁃", // bullets
		// Blanks that count as letters, and signs that turn the direction in which text is shown.
		utf8.RuneError: "\u115f\u1160\u2800\u3164\uffa0\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
	} {
		for _, r := range characters {
			all[r] = as
		}
	}
	return all
}()

func visible(r rune) rune {
	if as, known := readAs[r]; known {
		return as
	}
	switch {
	case unicode.IsSpace(r):
		return ' '
	case unicode.IsControl(r):
		return utf8.RuneError
	case unicode.In(r, unicode.Cf, unicode.Variation_Selector):
		return -1
	}
	return r
}
