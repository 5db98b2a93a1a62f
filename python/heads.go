package python

import "github.com/weirhttp/weir/app"

// head is what an application gave to start_response. It is not changed.
type head struct {
	status  string
	headers []app.Header
}

// newHeads keeps the heads of a worker that were read last: most responses of an application begin like others.
func newHeads() *recent[*head] { return newRecent(readHead, 64, 1024) }

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
