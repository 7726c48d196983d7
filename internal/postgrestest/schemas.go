package postgrestest

import (
	"fmt"
	"testing"
)

// Schemas are schemas for tests that one after another start from the same rows: making
// one takes ten times as long as emptying it.
type Schemas struct {
	prepare func(t testing.TB, at string)
	free    chan string // by name
}

// NewSchemas are schemas that are dropped when t ends, which must be after the tests that
// take them. prepare makes the tables and the first rows of one.
func NewSchemas(t testing.TB, prepare func(t testing.TB, at string)) *Schemas {
	t.Helper()
	reached(t)
	all := &Schemas{prepare: prepare, free: make(chan string, 64)}
	t.Cleanup(func() {
		for len(all.free) > 0 {
			admitted(t, 1).run(t, dropSchema(<-all.free))
		}
	})
	return all
}

// Take returns the URL of a schema that is t's until it ends, as it was prepared. Up to
// two bots may use it at once.
func (all *Schemas) Take(t testing.TB) string {
	t.Helper()
	server := admitted(t, 2)
	var name string
	select {
	case name = <-all.free:
	default:
		name = unused()
		server.run(t, "create schema "+name)
		all.prepare(t, server.schema(name))
		server.run(t, in(name, keepFirstRows))
	}
	t.Cleanup(func() {
		server.run(t, in(name, restoreFirstRows))
		all.free <- name
	})
	return server.schema(name)
}

func in(schema, statements string) string {
	return fmt.Sprintf("set search_path to %s; %s; reset search_path", schema, statements)
}

const (
	keepFirstRows = `do $$ declare name text; begin
		for name in select tablename from pg_tables where schemaname = current_schema() loop
			execute format('create table %I as table %I', 'first_' || name, name);
		end loop; end $$`
	restoreFirstRows = `do $$ declare name text; begin
		perform set_config('session_replication_role', 'replica', true); -- no trigger and no foreign key minds
		for name in select substr(tablename, 7) from pg_tables where schemaname = current_schema() and tablename like 'first\_%' loop
			execute format('delete from %I', name);
			execute format('insert into %I select * from %I', name, 'first_' || name);
		end loop; end $$`
)
