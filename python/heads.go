package python

import (
	"bytes"
	"hash/maphash"

	"github.com/weirhttp/weir/app"
)

// head is what an application gave to start_response. It is not changed.
type head struct {
	octets  []byte // marshalled
	status  string
	headers []app.Header
}

// heads keeps what was read last: most responses of an application begin like others.
type heads struct {
	seed maphash.Seed
	kept [64]*head
}

func newHeads() *heads { return &heads{seed: maphash.MakeSeed()} }

// longestKept is the length in octets of the longest head that is kept.
const longestKept = 1024

// read reads a marshalled head.
func (h *heads) read(octets []byte) (*head, error) {
	if len(octets) > longestKept {
		return readHead(octets)
	}
	place := &h.kept[maphash.Bytes(h.seed, octets)%uint64(len(h.kept))]
	if k := *place; k != nil && bytes.Equal(k.octets, octets) {
		return k, nil
	}
	k, err := readHead(octets)
	if err == nil {
		k.octets = bytes.Clone(octets)
		*place = k
	}
	return k, err
}

// readHead reads (status, [(name, value), ...]).
func readHead(octets []byte) (*head, error) {
	u := unmarshaler{octets}
	k := &head{}
	n, err := u.count()
	if err != nil {
		return nil, err
	}
	if n != 2 {
		return nil, errFrame
	}
	if k.status, err = u.latin1(); err != nil {
		return nil, err
	}
	k.headers, err = u.fields()
	return k, err
}

// fields reads [(name, value), ...].
func (u *unmarshaler) fields() ([]app.Header, error) {
	n, err := u.count()
	if err != nil {
		return nil, err
	}
	list := make([]app.Header, n)
	for i := range list {
		pair, err := u.count()
		if err != nil {
			return nil, err
		}
		if pair != 2 {
			return nil, errFrame
		}
		if list[i].Name, err = u.latin1(); err != nil {
			return nil, err
		}
		if list[i].Value, err = u.latin1(); err != nil {
			return nil, err
		}
	}
	return list, nil
}
