package typeahead

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cancel-server/internal/cancellation"
	"cancel-server/internal/pace"
)

// Bounds of a pass. SoftLayer's own clients read 100 rows at a time.
const (
	pageRows   = 100
	maxServers = 500_000
	maxTags    = 20_000
	maxCarried = 5_000_000 // by all tags together
)

// errDoesNotAddUp says that a pass has not met as many servers as there are.
var errDoesNotAddUp = errors.New("the pass does not add up")

// pass is one walk over all servers in the order of their ids.
type pass struct {
	rows   []row
	shared shared
	total  int // as SoftLayer said last
	gone   int // how many it said fewer, all in all, from one page to the next
}

// walk reads all servers. Each page begins with the server that the last page ended with. If it
// does not, earlier servers were removed and the rest moved up: the page is read again from a
// smaller offset, so that none is skipped. At the end the count must be what SoftLayer says, plus
// at most the servers that were removed during the pass.
func (i *Inventory) walk(ctx context.Context) ([]row, error) {
	p := pass{shared: shared{}}
	for offset := 0; ; {
		page, total, err := i.page(ctx, offset)
		if err != nil {
			return nil, err
		}
		p.count(total)
		switch {
		case max(total, len(p.rows)) > maxServers:
			return nil, fmt.Errorf("%d servers are more than the %d that are kept in memory", max(total, len(p.rows)), maxServers)
		case !ascending(page):
			return nil, fmt.Errorf("%w: servers from %d on are not in the order of their ids", errDoesNotAddUp, offset)
		case p.skips(page, offset):
			offset = max(0, offset-pageRows/2)
			continue
		case p.take(page) == 0, offset+len(page) >= total:
			return p.rows, p.addsUp()
		}
		offset += len(page) - 1 // the last one once more
	}
}

func (i *Inventory) page(ctx context.Context, offset int) (page []cancellation.Server, total int, err error) {
	err = i.ask(ctx, func() error {
		page, total, err = i.servers.Servers(ctx, offset, pageRows)
		return err
	})
	return page, total, err
}

// ask makes one of a pass's calls when the rate allows it, and repeats it if it fails: a pass over
// many servers makes a thousand calls.
func (i *Inventory) ask(ctx context.Context, call func() error) (err error) {
	for try := range askTries {
		pace.Sleep(ctx, time.Duration(try)*tryPause)
		if err := i.turn(ctx); err != nil {
			return err
		}
		if err = call(); err == nil || ctx.Err() != nil {
			break
		}
	}
	return err
}

func ascending(page []cancellation.Server) bool {
	for n, s := range page {
		if s.ID <= 0 || n > 0 && s.ID <= page[n-1].ID {
			return false
		}
	}
	return true
}

func (p *pass) count(total int) {
	if p.rows != nil {
		p.gone += max(0, p.total-total)
	}
	p.total = total
}

// last is the id of the last server that was met; 0 before the first.
func (p *pass) last() int64 {
	if len(p.rows) == 0 {
		return 0
	}
	return p.rows[len(p.rows)-1].id
}

// skips reports whether there may be servers between the last one met and this page.
func (p *pass) skips(page []cancellation.Server, offset int) bool {
	return offset > 0 && (len(page) == 0 || page[0].ID > p.last())
}

// take adds the servers that are new to the pass, and returns how many those are.
func (p *pass) take(page []cancellation.Server) (taken int) {
	for _, s := range page {
		if s.ID <= p.last() {
			continue
		}
		p.rows = append(p.rows, p.shared.row(s))
		taken++
	}
	return taken
}

func (p *pass) addsUp() error {
	if n := len(p.rows); n < p.total || n > p.total+p.gone {
		return fmt.Errorf("%w: met %d servers where SoftLayer says %d", errDoesNotAddUp, n, p.total)
	}
	return nil
}

// carried reads which servers carry which tag, tag by tag: SoftLayer fails at tags of many rows
// (https://github.com/softlayer/softlayer-python/issues/943).
func (i *Inventory) carried(ctx context.Context) ([]tag, error) {
	names, err := i.tagNames(ctx)
	if err != nil {
		return nil, err
	}
	var tags []tag
	carried := 0
	for id, name := range names {
		t := tag{Name: clean(name)}
		for offset, total := 0, 1; offset < total; offset += pageRows {
			var servers []int64
			err := i.ask(ctx, func() (err error) {
				servers, total, err = i.tags.Tagged(ctx, id, offset, pageRows)
				return err
			})
			if err != nil {
				return nil, err
			}
			t.Servers = append(t.Servers, servers...)
		}
		if carried += len(t.Servers); carried > maxCarried {
			return nil, fmt.Errorf("there are more pairs of server and tag than the %d that are kept in memory", maxCarried)
		}
		slices.Sort(t.Servers)
		if t.Servers = slices.Compact(t.Servers); len(t.Servers) > 0 {
			tags = append(tags, t)
		}
	}
	sortTags(tags)
	return tags, nil
}

// tagNames reads all tags. The method takes no order, so a list that changes between two pages may
// be incomplete.
func (i *Inventory) tagNames(ctx context.Context) (map[int64]string, error) {
	names := map[int64]string{}
	total := 1
	for offset := 0; offset < total; offset += pageRows {
		var page map[int64]string
		err := i.ask(ctx, func() (err error) {
			page, total, err = i.tags.Tags(ctx, offset, pageRows)
			return err
		})
		if err != nil {
			return nil, err
		}
		if total > maxTags {
			return nil, fmt.Errorf("%d tags are more than the %d that are kept in memory", total, maxTags)
		}
		for id, name := range page {
			names[id] = name
		}
	}
	if len(names) != total {
		return nil, fmt.Errorf("%w: met %d tags where SoftLayer says %d", errDoesNotAddUp, len(names), total)
	}
	return names, nil
}
