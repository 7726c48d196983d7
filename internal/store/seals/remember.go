package seals

import (
	"context"
	"fmt"
	"io"

	"cancel-server/internal/audit"
)

// A SQLite file that was replaced by an older copy looks like any other. So what was sealed last stands
// next to it too, in a file that a copy of the database does not bring along. It is written after the
// commit, which is synced, so it is never ahead of the database that it belongs to.

// rememberFormat has one length, so that one write replaces another.
const rememberFormat = "%020d %s\n"

// Remember writes the last position and the root into a file.
func Remember(file io.WriterAt, log *audit.Log) error {
	_, err := file.WriteAt(fmt.Appendf(nil, rememberFormat, log.Last(), log.Tree.Root()), 0)
	return err
}

// Older returns why a database is an older copy than the one that a file remembers; "" if it is not, or
// if the file remembers nothing.
func Older(ctx context.Context, from Reader, file io.ReaderAt) (why string, err error) {
	content := make([]byte, 128)
	n, _ := file.ReadAt(content, 0) // an empty file remembers nothing
	var last int64
	var text string
	if _, err := fmt.Sscanf(string(content[:n]), rememberFormat, &last, &text); err != nil || last == 0 {
		return "", nil // it remembers nothing
	}
	log, err := ReadLog(ctx, from)
	if err != nil {
		return "", err
	}
	if log.Last() < last {
		return fmt.Sprintf("the file was replaced by an older copy, which lacks what was sealed from position %d to %d", log.Last()+1, last), nil
	}
	root, sealed, err := SealedAt(ctx, from, last)
	if err == nil && (!sealed || root.String() != text) {
		return fmt.Sprintf("the file was replaced by a copy in which other events were sealed up to position %d", last), nil
	}
	return "", err
}
