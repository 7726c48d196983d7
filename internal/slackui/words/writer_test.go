package words

import (
	"strings"
	"time"

	"cancel-server/internal/cancellation"
)

// testWords writes with everything that a Writer can be given.
func testWords() Writer {
	return Writer{
		PeopleResolve: func() bool { return true },
		GroupName:     func(id string) string { return map[string]string{"S0LEADS": "infra-leads", "S0NET": "<!here>"}[id] },
		TicketURL: func(t cancellation.TicketID) string {
			if strings.HasPrefix(t.Number, "CS") {
				return "https://cloud.ibm.com/unifiedsupport/cases?number=" + t.Number
			}
			return "https://cloud.ibm.com/unifiedsupport/cases"
		},
		PostTimeout: 90 * time.Second, SettleTime: 5 * time.Minute,
	}
}
