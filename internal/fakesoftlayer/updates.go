package fakesoftlayer

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
)

// The editor types of an update: "USER" for one by a portal or API user, "EMPLOYEE" for
// one by SoftLayer's staff, "AUTO" for one by SoftLayer's own systems.
// https://sldn.softlayer.com/reference/datatypes/SoftLayer_Ticket_Update/
const (
	byUser     = "USER"
	byEmployee = "EMPLOYEE"
	bySystem   = "AUTO"
)

// maxBlock is the length of an update's entry: "addUpdate() splits the entry property in
// the templateObject parameter into 3900 character blocks and creates one entry per 3900
// character block".
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/addUpdate/
const maxBlock = 3900

// editor is who writes an update. by is nil for SoftLayer's own systems.
type editor struct {
	kind string
	by   tree
}

func customer(user tree) editor { return editor{byUser, user} }

func employee() editor {
	return editor{byEmployee, tree{"id": int64(staffID), "username": "support", "displayName": "Fake Support"}}
}

// person is another user of the account, by a first name.
func person(name string) tree {
	name = strings.ToLower(name)
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // never fails
	return tree{
		"id": int64(820_000 + sum.Sum32()%100_000), "accountId": int64(accountID),
		"username":  fmt.Sprintf("%d_%s@example.com", accountID, name),
		"firstName": strings.ToUpper(name[:1]) + name[1:], "lastName": "Example", "email": name + "@example.com", "iamId": fmt.Sprintf("SL-%d", 820_000+sum.Sum32()%100_000),
	}
}

// isKeysUser tells whether a user of the account is the one that the key belongs to.
func isKeysUser(user tree) bool { return number(user["id"]) == userID }

// addUpdates writes an entry into a ticket, as one update for each block of it, and
// returns them. The editorId "is only used if a ticket update's editorType property is
// USER". No update is written if not all fit.
func (a *Account) addUpdates(t *ticket, entry string, who editor, at string) ([]any, error) {
	blocks := blocksOf(entry)
	if len(t.updates())+len(blocks) > maxUpdates {
		return nil, errInternal()
	}
	made := make([]any, len(blocks))
	for i, block := range blocks {
		a.lastUpdate++
		update := tree{
			"id": a.lastUpdate, "ticketId": t.tree["id"], "createDate": at, "editorType": who.kind, "entry": block,
		}
		if who.by != nil {
			update["editor"] = who.by
		}
		if who.kind == byUser {
			update["editorId"] = who.by["id"]
		}
		made[i] = update
	}
	t.tree["updates"] = append(slices.Clip(t.updates()), made...)
	t.tree["updateCount"] = int64(len(t.updates()))
	t.edited(who.kind, at)
	return made, nil
}

// blocksOf are the parts of an entry that one update can hold; an empty entry is one.
func blocksOf(entry string) []string {
	var blocks []string
	for part := range slices.Chunk([]rune(entry), maxBlock) {
		blocks = append(blocks, string(part))
	}
	if blocks == nil {
		return []string{""}
	}
	return blocks
}

// answerTicket adds an update by SoftLayer's staff, who wait for the customer or do not.
func (a *Account) answerTicket(t *ticket, entry string, waits bool) error {
	if _, err := a.addUpdates(t, entry, employee(), date(a.now())); err != nil {
		return err
	}
	t.tree["awaitingUserResponseFlag"] = waits
	return nil
}

// addTicketUpdate is SoftLayer_Ticket::addUpdate, documented where maxBlock is. It answers
// with "an array of the newly created ticket updates". That TICKET_EDIT is what it asks
// for, the texts of its refusals and that it takes no files here are unproven.
func (a *Account) addTicketUpdate(q *request) (any, error) {
	if !a.key.may(ticketEdit) {
		return nil, a.denial(q.id)
	}
	if _, err := a.getTicket(q); err != nil {
		return nil, err
	}
	entry, err := readEntry(q)
	if err != nil {
		return nil, err
	}
	t := a.tickets[number(q.id)]
	if !t.closed.IsZero() {
		if !a.options.Unproven.UpdateReopens {
			return nil, exception("SoftLayer_Exception_Public", "This ticket is closed and cannot be updated.")
		}
		if err := a.reopen(t, byUser); err != nil {
			return nil, err
		}
	}
	made, err := a.addUpdates(t, entry, customer(a.key.user()), date(a.now()))
	if err == nil && !a.options.Unproven.AwaitingStays {
		t.tree["awaitingUserResponseFlag"] = false
	}
	return made, err
}

// updatePage is the vendor's page about addUpdate.
const updatePage = "https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/addUpdate/"

// readEntry reads the template object, of whose properties only the entry counts.
func readEntry(q *request) (string, error) {
	if len(q.arguments) == 0 || len(q.arguments) > 2 {
		q.brokeRule(fmt.Sprintf("addUpdate has one positional parameter, and perhaps files, not %d", len(q.arguments)), updatePage)
	}
	var template tree
	if len(q.arguments) > 0 {
		template, _ = q.arguments[0].(tree)
	}
	if template == nil {
		q.brokeRule("addUpdate's first parameter is a SoftLayer_Ticket_Update", updatePage)
		return "", exception("SoftLayer_Exception_InvalidValue", "Invalid value provided for 'templateObject'.")
	}
	for name := range template {
		if _, related := relationOf(updateType, name); !related && !isLocal(updateType, name) {
			return "", errProperty(name, updateType)
		}
	}
	if files, given := second(q.arguments); given && files != nil {
		return "", exception("SoftLayer_Exception_InvalidValue", "Invalid value provided for 'attachedFiles'.")
	}
	entry, _ := template["entry"].(string)
	if strings.TrimSpace(entry) == "" {
		return "", exception("SoftLayer_Exception_MissingCreationProperty", "The property 'entry' must be set to create an instance of 'SoftLayer_Ticket_Update'.")
	}
	return entry, nil
}

// second is the second of the arguments; an empty list counts as null.
func second(arguments []any) (any, bool) {
	if len(arguments) < 2 {
		return nil, false
	}
	if list, is := arguments[1].([]any); is && len(list) == 0 {
		return nil, true
	}
	return arguments[1], true
}

// getAwaitingUserResponseFlag says: "Ticket is waiting on a response from a customer flag."
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/getAwaitingUserResponseFlag/
func (a *Account) getAwaitingUserResponseFlag(q *request) (any, error) {
	object, err := a.getTicket(q)
	if err != nil {
		return nil, err
	}
	return object.(tree)["awaitingUserResponseFlag"], nil
}

// closedSince lists "all tickets closed since a given date". It takes no objectFilter. That
// it lists one closed at that very second is unproven, and so is the text for no date.
// https://sldn.softlayer.com/reference/services/SoftLayer_Ticket/getTicketsClosedSinceDate/
func (a *Account) closedSince(q *request) (any, error) {
	since, err := parseDate(q.argument(0))
	if err != nil {
		return nil, exception("SoftLayer_Exception_InvalidValue", "Invalid value provided for 'closeDate'.")
	}
	return a.ticketsThat(func(t *ticket) bool { return !t.closed.IsZero() && !t.closed.Before(since) }), nil
}

// waitsOnCustomer picks what getOpenTicketsWaitingOnCustomer lists: "All open tickets
// associated with an account last edited by an employee", whatever the flag of the ticket.
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getOpenTicketsWaitingOnCustomer/
func waitsOnCustomer(_ *Account, t *ticket) bool {
	return t.closed.IsZero() && t.tree["lastEditType"] == byEmployee
}
