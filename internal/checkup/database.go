package checkup

import (
	"context"
	"fmt"
)

// Bounds of free disk.
const (
	freeWarn = 1 << 30
	freeFail = 100 << 20
)

// database says whether the bot can keep requests.
func (r *round) database(ctx context.Context) []Finding {
	if r.Database == nil {
		return []Finding{skip("Database: not tried, because DATABASE_URL is wrong.")}
	}
	d, err := r.Database(ctx)
	if err != nil {
		return []Finding{fail("Check DATABASE_URL and the database.", "Database: %v.", because(err))}
	}
	var all []Finding
	all = append(all, d.condition()...)
	all = append(all, r.ownership(d)...)
	if d.BackupOf != "" {
		all = append(all, warn("Start bot serve, compare the database with SoftLayer by bot reconcile, and run bot unfreeze.", "Database: %s is a backup of %s: filing starts frozen.", d.Name, d.BackupOf))
	}
	if d.Lost != "" {
		all = append(all, warn("Keep the database on a disk that outlives the process.", "Database: %s is %s.", d.Name, d.Lost))
	}
	switch {
	case d.Free >= 0 && d.Free < freeFail:
		all = append(all, fail("Make room on the database's disk.", "Database: only %s are free on the disk of %s.", size(d.Free), d.Name))
	case d.Free >= 0 && d.Free < freeWarn:
		all = append(all, warn("Make room on the database's disk.", "Database: only %s are free on the disk of %s.", size(d.Free), d.Name))
	}
	if len(Problems(all)) == 0 {
		return []Finding{ok("Database: %s.", d.summary())}
	}
	return all
}

// condition says whether it can be written and is of this build's version.
func (d Database) condition() []Finding {
	switch {
	case d.Unwritable != nil && d.Absent:
		return []Finding{fail("Let the bot's user write to the folder in DATABASE_URL, or name another.", "Database: %s does not exist and cannot be made: %v.", d.Name, d.Unwritable)}
	case d.Unwritable != nil:
		return []Finding{fail("Let the bot's user write to the database and its folder.", "Database: nothing can be written to %s: %v.", d.Name, d.Unwritable)}
	case d.TooNew:
		return []Finding{fail("Run the build that made the database, or a newer one.", "Database: %s was made by a newer build (version %d, this one's is %d) that this one cannot work alongside.", d.Name, d.Version, d.Wanted)}
	case !d.Absent && d.Version < d.Wanted:
		return []Finding{warn("Back the database up; the next start of bot serve migrates it.", "Database: %s is of version %d, and this build's is %d.", d.Name, d.Version, d.Wanted)}
	}
	return nil
}

// ownership says whether it belongs to this Slack app and SoftLayer account, as far as both are known.
func (r *round) ownership(d Database) []Finding {
	if d.Bound == nil || r.self == nil || r.account == nil {
		return nil
	}
	self, err := r.self()
	if err != nil {
		return nil
	}
	account, err := r.account()
	if err != nil {
		return nil
	}
	ours := Binding{App: self.Bot, Team: self.Team, Account: account.ID, Endpoint: r.Endpoint, Practice: r.Practice}
	if *d.Bound == ours {
		return nil
	}
	if own := *d.Bound; own.Practice != ours.Practice {
		own.Practice = ours.Practice
		if own == ours {
			return []Finding{otherPurpose(d)}
		}
	}
	return []Finding{fail("Name in DATABASE_URL the database of this app and account, or a new one.",
		"Database: %s belongs to Slack app %s in team %s with SoftLayer account %s at %s, not to app %s in team %s with account %s at %s.",
		d.Name, d.Bound.App, d.Bound.Team, d.Bound.Account, d.Bound.Endpoint, ours.App, ours.Team, ours.Account, ours.Endpoint)}
}

// otherPurpose says that a database of practice is to serve for real, or the other way round.
func otherPurpose(d Database) Finding {
	if d.Bound.Practice {
		return fail("Name another database in DATABASE_URL, or set DRY_RUN=true.", "Database: %s is of practice, and nothing that is asked for in it is ever filed.", d.Name)
	}
	return fail("Name another database in DATABASE_URL, or leave DRY_RUN out.", "Database: %s is of a bot that files, and practice needs one of its own.", d.Name)
}

func (d Database) summary() string {
	if d.Absent {
		return d.Name + " does not exist yet; bot serve makes it" + d.room()
	}
	bound := "no bot has served from it yet"
	if d.Bound != nil {
		bound = "it belongs to this app and account"
	}
	return fmt.Sprintf("%s of version %d takes writes (one was rolled back), and syncs each; %s%s", d.Name, d.Version, bound, d.room())
}

func (d Database) room() string {
	if d.Free < 0 {
		return "; its free disk cannot be told from here"
	}
	return "; " + size(d.Free) + " free"
}

func size(bytes int64) string {
	if bytes >= 10<<30 {
		return fmt.Sprintf("%d GB", bytes>>30)
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}
