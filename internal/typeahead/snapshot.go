package typeahead

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"cancel-server/internal/cancellation"
)

// Bounds of a snapshot.
const (
	maxPacked   = 64 << 20
	maxUnpacked = 512 << 20
	format      = 1
)

// heading comes before the servers and the tags of a snapshot.
type heading struct {
	Format, Servers, Tags int

	Untagged bool `json:",omitempty"` // the tags were never read
}

// fields of a server in a snapshot: id, host name, full name, addresses, data center, backend routers.
// A build that knows fewer leaves out the last ones, and one that knows more reads those as "".
type fields [7]string

// packed returns an index as a snapshot.
func packed(x *index) ([]byte, error) {
	var data bytes.Buffer
	zip := gzip.NewWriter(&data)
	out := json.NewEncoder(zip)
	tags := x.carried()
	err := out.Encode(heading{Format: format, Servers: x.size(), Tags: len(tags), Untagged: x.untagged})
	for n := 0; err == nil && n < x.size(); n++ {
		r := x.row(n)
		s := r.server()
		err = out.Encode(fields{strconv.FormatInt(s.ID, 10), s.Hostname, s.FQDN, s.PublicIP, s.PrivateIP, s.Datacenter, r.routers})
	}
	for n := 0; err == nil && n < len(tags); n++ {
		err = out.Encode(tags[n])
	}
	if err == nil {
		err = zip.Close()
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("writing the typeahead's snapshot: %w", err)
	case data.Len() > maxPacked:
		return nil, fmt.Errorf("writing the typeahead's snapshot: %d bytes are over the limit of %d", data.Len(), maxPacked)
	}
	return data.Bytes(), nil
}

// unpacked reads a snapshot, all of it or nothing.
func unpacked(data []byte) (listing, error) {
	l, err := unpack(data)
	if err != nil {
		return listing{}, fmt.Errorf("reading the typeahead's snapshot: %w", err)
	}
	return l, nil
}

func unpack(data []byte) (l listing, err error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return l, err
	}
	in := json.NewDecoder(io.LimitReader(zip, maxUnpacked))
	var head heading
	switch err := in.Decode(&head); {
	case err != nil:
		return l, err
	case head.Format != format:
		return l, fmt.Errorf("this build does not know format %d", head.Format)
	}
	l.untagged = head.Untagged
	known := shared{}
	for range head.Servers {
		var f fields
		if err := in.Decode(&f); err != nil {
			return l, err
		}
		id, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return l, err
		}
		s := cancellation.Server{ID: id, Hostname: f[1], FQDN: f[2], PublicIP: f[3], PrivateIP: f[4], Datacenter: f[5], Routers: parted(f[6])}
		l.rows = append(l.rows, known.row(s))
	}
	for range head.Tags {
		var t tag
		if err := in.Decode(&t); err != nil {
			return l, err
		}
		l.tags = append(l.tags, t)
	}
	if _, err := in.Token(); err != io.EOF {
		return l, fmt.Errorf("more than the %d servers and %d tags that it names", head.Servers, head.Tags)
	}
	return l, nil
}
