package fakesoftlayer

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Options describe an account. The zero value is an account of 200 servers
// grown from seed 0.
type Options struct {
	// Servers is how many servers the account holds; 200 if it is not positive.
	Servers int
	// Seed is where everything random comes from: two accounts of one seed and
	// one Start hold the same servers.
	Seed uint64
	// Now is the clock that Advance shifts; time.Now if nil.
	Now func() time.Time
	// Start is what Now is shifted to when the account is made: the account begins
	// at this moment, whatever the day is elsewhere. Now stays as it is if zero.
	Start time.Time
	// BillDays is in how many days the next bill date is, by Dallas's calendar; if
	// it is not positive that is the 1st of the next month.
	BillDays int
	// CutoffDays is how many days before a bill date a cancellation must be in; 3
	// if it is not positive.
	CutoffDays int
	// HoldTime is how long a server whose billing item ended is "Pending reclaim", and
	// ReclaimTime how long it is "Reclaiming" after that: 12 hours each if 0. If both are
	// negative a server is gone as soon as its billing item ends.
	HoldTime, ReclaimTime time.Duration
	// BooleanFlags makes some servers say bareMetalInstanceFlag with false; all others
	// say it with 0 or 1, which is the only form that softlayer-go reads.
	BooleanFlags bool
	// Unproven chooses where no page says what SoftLayer does.
	Unproven Unproven
	// Observe is called once for each finished request to the imitated API, on
	// that request's goroutine and with no lock held. It may be nil.
	Observe func(Exchange)
}

// Unproven are choices of what SoftLayer does where none of its pages tells. A client that
// works only with the zero value relies on a guess.
type Unproven struct {
	// Denial is how a method without a documented refusal answers a key without the right.
	Denial Denial
	// AwaitingStays leaves a ticket's awaitingUserResponseFlag as it is when the customer
	// writes; else that clears it.
	AwaitingStays bool
	// LateApprovalMoves has a cancellation that staff approve after its cut-off end at the bill
	// date that is due then; else it keeps its date, even one that has passed.
	LateApprovalMoves bool
	// EndsASecondEarly has a billing item end a second before the date of its cancellation, as
	// in recorded data; else at that date.
	EndsASecondEarly bool
	// EndedItemsStay lets a server that is being reclaimed keep the billing item that ended;
	// else it has none.
	EndedItemsStay bool
	// ValidateRefuses makes validateBillingItemForCancellation's "no" an error; else it is false.
	ValidateRefuses bool
	// UpdateReopens lets addUpdate open a closed ticket; else a closed ticket has no
	// userEditableFlag and addUpdate is refused.
	UpdateReopens bool
}

// Denial is how a key that lacks a right is refused.
type Denial int

const (
	// DeniedAsAbsent is 404, as if there were no such object: "The SoftLayer API treats a
	// permission error like an object not found error".
	// https://sldn.softlayer.com/article/permission-enforcement-softlayer-api/
	DeniedAsAbsent Denial = iota
	// DeniedInWords is the text of createCancelServerTicket.
	DeniedInWords
	// DeniedAsEmpty answers the question for a list or for something that hangs on an object
	// with an empty list or null. All else is 404.
	DeniedAsEmpty
)

// denial refuses a call for something with an id.
func (a *Account) denial(id any) error {
	if a.options.Unproven.Denial == DeniedInWords {
		return errPermission()
	}
	return errNotFound(id)
}

// deniedList refuses a call for a list.
func (a *Account) deniedList(id any) (any, error) {
	if a.options.Unproven.Denial == DeniedAsEmpty {
		return []any{}, nil
	}
	return nil, a.denial(id)
}

// deniedRelation refuses a call for what hangs on an object.
func (a *Account) deniedRelation(id any, rel relation) (any, error) {
	if a.options.Unproven.Denial == DeniedAsEmpty && !rel.many {
		return nil, nil
	}
	return a.deniedList(id)
}

// Account is one SoftLayer account with its servers, its tickets and one API
// key. It is safe for concurrent use; each call is one step under one lock.
type Account struct {
	options Options
	methods map[string]method

	mu        sync.Mutex
	random    *rand.Rand
	shift     time.Duration
	firstBill time.Time
	billed    int       // bill dates that have passed
	wake      time.Time // when something is due next
	servers   map[int64]*server
	serverIDs []int64 // ascending
	gateways  []*gateway
	guests    []tree // the virtual servers
	surroundings
	ticketBook
	key   key
	armed []armed
}

// ticketBook is the account's tickets, and the last ids given to one and to an update.
type ticketBook struct {
	tickets    map[int64]*ticket
	ticketIDs  []int64
	lastTicket int64
	lastUpdate int64
}

// cutoffDays is the usual cut-off: SoftLayer says two or three days.
const cutoffDays = 3

// reclaimStep is how long each stage of a reclaim takes; how long it does at SoftLayer is
// unproven.
const reclaimStep = 12 * time.Hour

// Identifiers of the account and of the user that the key belongs to.
const (
	accountID = 307608
	userID    = 811234
	staffID   = 4711
	username  = "307608_fake-bot@example.com"
)

// New makes an account.
func New(options Options) *Account {
	if options.Servers <= 0 {
		options.Servers = 200
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	options.HoldTime = cmp.Or(options.HoldTime, reclaimStep)
	options.ReclaimTime = cmp.Or(options.ReclaimTime, reclaimStep)
	if options.CutoffDays <= 0 {
		options.CutoffDays = cutoffDays
	}
	a := &Account{
		options:      options,
		methods:      methods(),
		random:       rand.New(rand.NewPCG(options.Seed, 0x50f71a7e)),
		servers:      map[int64]*server{},
		surroundings: surroundings{lent: map[int64][]int{}, closing: map[string]bool{}},
		ticketBook:   ticketBook{tickets: map[int64]*ticket{}, lastUpdate: 600_000_000},
		key:          newKey(options.Seed),
	}
	a.lastTicket = 153_000_000 + int64(a.random.IntN(500_000))
	if !options.Start.IsZero() {
		a.shift = options.Start.Sub(options.Now())
	}
	a.firstBill = firstBill(a.now(), options.BillDays)
	a.populate()
	return a
}

// Seed is the number the account was grown from.
func (a *Account) Seed() uint64 { return a.options.Seed }

// Username is the classic user name of the key; the literal "apikey" is
// accepted alongside it, as SoftLayer does for an IBM Cloud API key
// (https://sldn.softlayer.com/article/authenticating-softlayer-api/).
func (a *Account) Username() string { return username }

// APIKey is the newest key that goes with Username. It opens nothing but this fake.
func (a *Account) APIKey() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.key.secrets[len(a.key.secrets)-1]
}

// Now is the account's time: Options.Now, shifted by every Advance.
func (a *Account) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now()
}

// Advance moves the account's clock. Bill dates that pass roll over to the next month. The
// billing item of a server ends at its cancellation date; the server is then reclaimed, and gone.
func (a *Account) Advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shift += d
	a.roll()
}

// Cancelable is a server that nothing blocks and nothing warns about: not
// protected or prod, monthly, no gateway, never patched, not being reclaimed, and no other server
// has its host name. It is 0 if none is left.
func (a *Account) Cancelable() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := map[any]int{}
	for _, s := range a.servers {
		names[s.tree["hostname"]]++
	}
	for _, id := range a.serverIDs {
		s := a.servers[id]
		if s.plain && !s.removed && s.stage == running && names[s.tree["hostname"]] == 1 && a.blocking(s) == 0 {
			return id
		}
	}
	return 0
}

// Handler serves the imitated API under /rest/v3.1/ and, for people, a page at
// / and one for each ticket at /tickets/{id}. It may stand under a prefix
// that http.StripPrefix takes off.
func (a *Account) Handler() http.Handler {
	page := a.page()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isAPI(r.URL.Path) {
			a.serveAPI(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}

func (a *Account) now() time.Time { return a.options.Now().Add(a.shift) }
