package fakesoftlayer

import (
	"crypto/subtle"
	"fmt"
	"maps"
	"slices"
)

// keyNames of the permissions that decide something here.
// https://sldn.softlayer.com/article/permission-enforcement-softlayer-api/
const (
	serverCancel       = "SERVER_CANCEL"
	serviceCancel      = "SERVICE_CANCEL"
	hardwareView       = "HARDWARE_VIEW"
	accessAllHardware  = "ACCESS_ALL_HARDWARE"
	ticketAdd          = "TICKET_ADD"
	ticketEdit         = "TICKET_EDIT"
	ticketView         = "TICKET_VIEW"
	ticketViewAll      = "TICKET_VIEW_ALL"
	ticketSearch       = "TICKET_SEARCH"
	accountSummaryView = "ACCOUNT_SUMMARY_VIEW"
	nasManage          = "NAS_MANAGE"
)

// permissionKeys are the short keys next to the keyNames.
func permissionKeys() map[string]string {
	return map[string]string{
		serverCancel: "A_6", serviceCancel: "A_9", hardwareView: "H_1", accessAllHardware: "ALL_1",
		ticketAdd: "T_7", ticketEdit: "T_8", ticketView: "T_1", ticketViewAll: "T_6",
		ticketSearch: "T_2", accountSummaryView: "A_1", nasManage: "NAS_2",
	}
}

// key is the account's one user of the API, and what it may do.
type key struct {
	secrets     []string // that open it; the last is the newest
	master      bool
	permissions map[string]bool
	hidden      map[int64]bool
	unseen      map[string]bool // relations that it may not see, wherever they are
}

// newKey may do all that the permissions known here allow.
func newKey(seed uint64) key {
	k := key{secrets: []string{fmt.Sprintf("fake-softlayer-key-%016x", seed)}, permissions: map[string]bool{}, hidden: map[int64]bool{}}
	for name := range permissionKeys() {
		k.permissions[name] = true
	}
	return k
}

// AddAPIKey makes one more key of the same user. Those before it stay valid, as an IBM Cloud user may have several:
// https://cloud.ibm.com/docs/account?topic=account-userapikey
func (a *Account) AddAPIKey() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key.secrets = append(a.key.secrets, fmt.Sprintf("%s-%d", a.key.secrets[0], len(a.key.secrets)))
}

// RevokeOldAPIKeys deletes all keys but the newest.
func (a *Account) RevokeOldAPIKeys() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.key.secrets = a.key.secrets[len(a.key.secrets)-1:]
}

// opens reports whether a secret is one of the key's.
func (k key) opens(secret string) bool {
	found := 0
	for _, one := range k.secrets {
		found |= subtle.ConstantTimeCompare([]byte(secret), []byte(one))
	}
	return found == 1
}

// may tells whether the key has a permission; a master user has all.
func (k key) may(permission string) bool { return k.master || k.permissions[permission] }

// sees tells whether the hardware access list lets the key see a server.
func (k key) sees(server int64) bool { return k.sight()(server) }

// sight is sees for many servers: what is the same for all is looked up once.
func (k key) sight() func(server int64) bool {
	view, all := k.may(hardwareView), k.may(accessAllHardware)
	return func(server int64) bool { return view && (all || !k.hidden[server]) }
}

// grants is the list that getPermissions gives. A master user has none: the
// flag stands for all.
func (k key) grants() []any {
	list := []any{}
	if k.master {
		return list
	}
	keys := permissionKeys()
	for _, name := range slices.Sorted(maps.Keys(k.permissions)) {
		list = append(list, tree{"key": keys[name], "keyName": name, "name": name})
	}
	return list
}

// user is the key's own SoftLayer_User_Customer.
func (k key) user() tree {
	return tree{
		"id": int64(userID), "accountId": int64(accountID), "username": username,
		"firstName": "Fake", "lastName": "Bot", "email": "fake-bot@example.com", "iamId": fmt.Sprintf("SL-%d", userID),
		"isMasterUserFlag":                  k.master,
		"hasFullHardwareAccessFlag":         k.may(accessAllHardware),
		"permissionCheckLikeMasterUserFlag": false,
	}
}

// grantsOf is the list of a user's permissions; nil for another user than the key's own.
func (a *Account) grantsOf(user tree) any {
	if !isKeysUser(user) {
		return nil
	}
	return a.key.grants()
}
