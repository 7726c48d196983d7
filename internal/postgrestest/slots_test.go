package postgrestest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSlotsAreHeldUntilTheTestEnds(t *testing.T) {
	var was uint32
	t.Run("a test", func(t *testing.T) {
		Schema(t)
		Schema(t) // takes no further slots
		held := admitted(t, 7)
		was = held.PgConn().PID()
		assert.Equal(t, usual, slotsHeldBy(t, held, was))
	})
	t.Run("the next", func(t *testing.T) {
		assert.Zero(t, slotsHeldBy(t, admitted(t, 1), was))
	})
	t.Run("one that asks for more than there are", func(t *testing.T) {
		require.ErrorContains(t, waitForSlots(t.Context(), admitted(t, 1).Conn, 1000), "raise max_connections")
	})
}

func TestEveryWaitingTestGetsItsSlots(t *testing.T) {
	for n := range 12 { // as many in all as no server has
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			held := admitted(t, 4)
			assert.Equal(t, 4, slotsHeldBy(t, held, held.PgConn().PID()))
		})
	}
}

// slotsHeldBy counts the slots of the connection with this process id.
func slotsHeldBy(t *testing.T, a admission, pid uint32) (slots int) {
	t.Helper()
	require.NoError(t, a.QueryRow(t.Context(), `select count(*) from pg_locks
		where locktype = 'advisory' and classid = $1::int and objid <> $2 and pid = $3 and granted`, lockClass, queueIndex, pid).Scan(&slots))
	return slots
}

func TestEveryTestGetsAnEmptySchema(t *testing.T) {
	all := NewSchemas(t, func(t testing.TB, at string) {
		execIn(t, at, `create table flags (n int primary key); insert into flags values (1)`)
	})
	var first, second string
	t.Run("one", func(t *testing.T) {
		first = all.Take(t)
		execIn(t, first, `delete from flags; insert into flags values (7), (8)`)
	})
	t.Run("the next", func(t *testing.T) {
		second = all.Take(t)
		execIn(t, second, `do $$ begin if (select array_agg(n) from flags) <> array[1] then raise 'what the other left'; end if; end $$`)
	})
	assert.Equal(t, first, second)
}

func execIn(t testing.TB, at, statements string) {
	t.Helper()
	url := *must(server())
	url.RawQuery = at[strings.Index(at, "?")+1:]
	conn := connect(t.Context(), t, &url)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err := conn.Exec(t.Context(), statements)
	require.NoError(t, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestSilentNamedServerFailsWithAdvice(t *testing.T) {
	if os.Getenv("POSTGRESTEST_CHILD") != "" {
		Database(t)
		return
	}
	for _, names := range []string{"postgres://nobody:hunter2@127.0.0.1:1/postgres?connect_timeout=2", "hunter2 is no URL:%"} {
		child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), "POSTGRESTEST_CHILD=1", Variable+"="+names)
		out, err := child.CombinedOutput()
		require.Error(t, err, "a server that was named is not passed over")
		assert.Contains(t, string(out), "Start that server, or name another one. Or unset "+Variable)
		assert.NotContains(t, string(out), "hunter2")
	}
}
