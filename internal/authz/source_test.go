package authz_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"cancel-server/internal/authz"
)

func TestSyntaxErrorsSayWhereInWords(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"permit (principal, action, resource)\n@@":                                     `p.cedar:2:1: in line 2, at column 1, "@" stands where ";" is expected`,
		"permit (principal, action, resource)":                                         `p.cedar:1:37: in line 1, at column 37, the file ends where ";" is expected`,
		"allow (principal, action, resource);":                                         `p.cedar:1:1: in line 1, at column 1, "allow" begins no rule: a rule begins with permit or forbid, after its annotations`,
		`permit (principal, action, resource) when { resource.datacenter = "fra02" };`: `p.cedar:1:65: in line 1, at column 65, "=" stands where "}" is expected`,
		`permit (principal, action, resource) when { foo };`:                           `p.cedar:1:49: in line 1, at column 49, a value is expected before this: a text in quotes,`,
		`permit (principal, action, resource) when { resource.hostname like x };`:      `a text in quotes is expected before this`,
		`permit (principal, action, resource) when { "open`:                            `in line 1, at column 45, the quotes of a text are not closed`,
		"// è è\n/* open": `p.cedar:2:1: in line 2, at column 1, a comment is not closed by */`,
		"@id(\"è\") permit (principal, action, resource) when { resource.tags.contains(\"a\" };": `"}" stands where`,
	} {
		_, err := authz.Parse("p.cedar", []byte(text))
		assert.ErrorContains(t, err, says, text)
		assert.NotContains(t, err.Error(), "exact got", text)
	}
}
