// Package policytool reads and watches policy files, and answers questions about a policy:
// whether it passes a table of cases, why a person may or may not, and who may do what.
//
// It reads no setting and connects to no vendor: policy, directory and server are
// arguments. It makes no decision of its own.
package policytool

import (
	"regexp"
	"strings"
	"unicode"
)

// The forms of Slack's and SoftLayer's identifiers.
var (
	teamID     = regexp.MustCompile(`^[TE][A-Z0-9]+$`)
	userID     = regexp.MustCompile(`^[UW][A-Z0-9]+$`)
	wholeID    = regexp.MustCompile(`^[TE][A-Z0-9]+/[UW][A-Z0-9]+$`)
	groupID    = regexp.MustCompile(`^S[A-Z0-9]+$`)
	channelID  = regexp.MustCompile(`^[CG][A-Z0-9]{2,}$`)
	accountID  = regexp.MustCompile(`^[0-9]*$`)
	hostDomain = regexp.MustCompile(`^[^.\s]+(\.[^.\s]+)*$`)
)

// IsTeamID reports whether id is that of a Slack team or enterprise.
func IsTeamID(id string) bool { return teamID.MatchString(id) }

// IsUserID reports whether id is that of a Slack user, with no team in front.
func IsUserID(id string) bool { return userID.MatchString(id) }

// CheckChannel returns what is wrong with the id of a Slack channel, "" if nothing is. An
// empty id is fine.
func CheckChannel(id string) string {
	if id == "" || channelID.MatchString(id) {
		return ""
	}
	return "not a Slack channel's id, such as C0123ABCD; copy it from the channel's details"
}

// Printable replaces each character that could control a terminal with a question mark.
func Printable(foreign string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, foreign)
}
