//go:build unix

package loop

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// AddressError tells that an address is none: the caller has to write another.
type AddressError struct {
	Address string
	Err     error
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("cannot listen on %s: %v", e.Address, e.Err)
}

func (e *AddressError) Unwrap() error { return e.Err }

// CheckAddress tells whether an address is one that Listen knows. It looks no name up. The error is an *AddressError.
func CheckAddress(address string) error {
	err := checkAddress(address)
	if err == nil {
		return nil
	}
	wanted := "want HOST:PORT, unix:PATH or fd://N"
	if near := meant(address); near != "" {
		wanted += ", such as " + near
	}
	if err != errAddress {
		wanted = err.Error() + "; " + wanted
	}
	return &AddressError{address, errors.New(wanted)}
}

// errAddress says nothing that what is wanted does not say.
var errAddress = errors.New("not an address")

func checkAddress(address string) error {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return errors.New("the path is missing")
		}
		return nil
	}
	if number, ok := strings.CutPrefix(address, "fd://"); ok {
		if _, err := strconv.ParseUint(number, 10, 31); err != nil {
			return fmt.Errorf("descriptor %q is not a number", number)
		}
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "fd" || strings.ContainsAny(host, "/* ") {
		return errAddress
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("port %q is not a number up to 65535", port)
	}
	return nil
}

// meant is what somebody means who writes an address as it is written elsewhere; "": nobody knows.
func meant(address string) string {
	host, port, _ := strings.Cut(address, ":")
	ip, _ := netip.ParseAddr(address)
	_, number := strconv.ParseUint(address, 10, 16)
	near := ""
	switch {
	case strings.Contains(address, "//"): // a URL
		_, near, _ = strings.Cut(address, "//")
		near, _, _ = strings.Cut(near, "/")
	case host == "*":
		near = "0.0.0.0:" + port
	case host == "fd":
		near = "fd://" + port
	case ip.Is4():
		near = address + ":8000"
	case number == nil:
		near = "127.0.0.1:" + address
	}
	if checkAddress(near) != nil {
		return ""
	}
	return near
}
