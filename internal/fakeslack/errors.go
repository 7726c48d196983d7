package fakeslack

import (
	"errors"
	"fmt"
)

var (
	errUnknownID = errors.New("no such id in this workspace")
	errClosed    = errors.New("the workspace is closed")
	errEndpoint  = errors.New("an endpoint is an http URL on loopback")
	errSocket    = errors.New("this workspace reaches its bot by Socket Mode, which has no endpoint")
)

func unknownID(kind, id string) error { return fmt.Errorf("finding %s %q: %w", kind, id, errUnknownID) }
