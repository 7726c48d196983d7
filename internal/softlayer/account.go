package softlayer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/checkup"
)

// Account reads which account the key belongs to.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getObject/
func (c *Client) Account(ctx context.Context) (cancellation.Account, error) {
	var found struct {
		ID   int64 `json:"id"`
		Name text  `json:"companyName"`
	}
	err := c.get(ctx, call{service: "SoftLayer_Account", method: "getObject", mask: "mask[id,companyName]"}, &found)
	if err != nil {
		return cancellation.Account{}, fmt.Errorf("reading the account: %w", err)
	}
	if found.ID <= 0 {
		return cancellation.Account{}, fmt.Errorf("reading the account: %w: it has no id", ErrAnswerLost)
	}
	return cancellation.Account{ID: strconv.FormatInt(found.ID, 10), Name: string(found.Name)}, nil
}

// user is the SoftLayer_User_Customer that the key belongs to.
type user struct {
	ID          int64 `json:"id"`
	Master      flag  `json:"isMasterUserFlag"`
	AllHardware flag  `json:"hasFullHardwareAccessFlag"`
}

// Rights reads what the key may do. A master user may do everything and may have no
// list of permissions at all.
func (c *Client) Rights(ctx context.Context) (cancellation.Rights, error) {
	key, err := c.Key(ctx)
	switch {
	case err != nil:
		return cancellation.Rights{}, err
	case key.Master:
		return cancellation.Rights{Cancel: true, AddTickets: true, EditTickets: true, ViewTickets: true, AllHardware: true, Billing: true, Storage: true}, nil
	}
	may := func(keyName string) bool { return slices.Contains(key.Rights, keyName) }
	return cancellation.Rights{
		Cancel:      may("SERVER_CANCEL"),
		AddTickets:  may("TICKET_ADD"),
		EditTickets: may("TICKET_EDIT"),
		ViewTickets: may("TICKET_VIEW"),
		AllHardware: may("HARDWARE_VIEW") && key.AllHardware,
		Billing:     may("ACCOUNT_SUMMARY_VIEW"),
		Storage:     may("NAS_MANAGE"),
	}, nil
}

// Key reads whose the key is, with each of its rights. cancellation.ErrReadRefused: it may not read its
// own.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Account/getCurrentUser/
// https://sldn.softlayer.com/reference/services/SoftLayer_User_Customer/getPermissions/
func (c *Client) Key(ctx context.Context) (checkup.Key, error) {
	var self user
	err := c.get(ctx, call{
		service: "SoftLayer_Account", method: "getCurrentUser",
		mask: "mask[id,isMasterUserFlag,hasFullHardwareAccessFlag]",
	}, &self)
	switch {
	case err != nil:
		return checkup.Key{}, fmt.Errorf("reading the key's user: %w", err)
	case bool(self.Master):
		return checkup.Key{Master: true, AllHardware: true}, nil
	case self.ID <= 0:
		return checkup.Key{}, fmt.Errorf("reading the key's user: %w: it has no id", ErrAnswerLost)
	}
	granted, err := c.permissions(ctx, self.ID)
	if errors.Is(err, ErrNotFound) { // the user is there: the key may not see it
		err = fmt.Errorf("%w: %w", cancellation.ErrReadRefused, err)
	}
	if err != nil {
		return checkup.Key{}, fmt.Errorf("reading the permissions of user %d: %w", self.ID, err)
	}
	return checkup.Key{
		Rights:      granted,
		AllHardware: bool(self.AllHardware) || slices.Contains(granted, "ACCESS_ALL_HARDWARE"),
	}, nil
}

// permissions reads a user's key names.
func (c *Client) permissions(ctx context.Context, user int64) ([]string, error) {
	var rows []struct {
		KeyName text `json:"keyName"`
	}
	err := c.get(ctx, call{
		service: "SoftLayer_User_Customer", id: user, method: "getPermissions", mask: "mask[keyName]",
	}, &rows)
	var names []string
	for _, row := range rows {
		names = append(names, string(row.KeyName))
	}
	return names, err
}

// Cutoff reads until when a cancellation must be in to take effect on the next bill
// date: RFC 3339 with SoftLayer's offset, as given. account is the account's id.
//
// https://sldn.softlayer.com/reference/services/SoftLayer_Billing_Item_Cancellation_Request/getCancellationCutoffDate/
func (c *Client) Cutoff(ctx context.Context, account string) (string, error) {
	id, err := strconv.ParseInt(account, 10, 64)
	if err != nil {
		return "", fmt.Errorf("reading the cut-off date: account %q is not a number", account)
	}
	k := call{
		service: "SoftLayer_Billing_Item_Cancellation_Request", method: "getCancellationCutoffDate",
		params: []any{id, "server"},
	}
	var until string
	err = c.get(ctx, k, &until)
	if err == nil && date(text(until)).IsZero() {
		err = c.cleaned(unusable(http.StatusOK, until+" is no date"), k)
	}
	if err != nil {
		return "", fmt.Errorf("reading the cut-off date: %w", err)
	}
	return until, nil
}
