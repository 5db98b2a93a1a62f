package proxyproto

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"github.com/weirhttp/weir/loop"
)

func init() {
	// nginx's stream module writes such lines where a client and the server speak different versions of IP.
	proxyproto.V1AcceptIPv4InTCP6 = true
}

var (
	errNone    = errors.New("the connection does not begin with a PROXY preface")
	errTooLong = errors.New("the PROXY preface is too long")
	errNoTCP   = errors.New("the PROXY preface is that of a datagram")
)

// Sizes in octets: the longest line of version 1, and the fixed part of version 2.
const (
	longestLine = 107
	fixedPart   = 16
)

// length is how many octets the preface takes that in begins with; 0: not known yet, or not all of it is there.
func length(in []byte) (n int, err error) {
	switch {
	case startsLike(in, proxyproto.SIGV1):
		end := bytes.IndexByte(in[:min(len(in), longestLine)], '\n')
		if end < 0 && len(in) >= longestLine {
			return 0, errTooLong
		}
		return end + 1, nil
	case startsLike(in, proxyproto.SIGV2):
		if len(in) < fixedPart {
			return 0, nil
		}
		size := binary.BigEndian.Uint16(in[fixedPart-2:])
		if size > proxyproto.MaxV2HeaderSize {
			return 0, errTooLong
		}
		if n = fixedPart + int(size); n > len(in) {
			return 0, nil
		}
		return n, nil
	}
	return 0, errNone
}

// startsLike tells whether in begins with the signature, as far as it goes.
func startsLike(in, signature []byte) bool {
	n := min(len(in), len(signature))
	return bytes.Equal(in[:n], signature[:n])
}

// parse reads a preface that is complete. p is nil when the proxy speaks for itself, as it does to see whether the server is well.
func parse(preface []byte) (p *loop.Proxied, err error) {
	header, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(preface), len(preface)))
	if err != nil {
		return nil, err
	}
	if header.Command.IsLocal() {
		if header.Version == 1 { // UNKNOWN
			return &loop.Proxied{Anonymous: true}, nil
		}
		return nil, nil
	}
	p = &loop.Proxied{}
	switch {
	case header.TransportProtocol.IsUnix():
		p.Anonymous = true
	case !header.TransportProtocol.IsStream():
		return nil, errNoTCP
	default:
		p.Remote, p.Local = addrPort(header.SourceAddr), addrPort(header.DestinationAddr)
	}
	tlvs, err := header.TLVs()
	if err != nil {
		return nil, err
	}
	if ssl, ok := tlvparse.FindSSL(tlvs); ok {
		p.TLS = ssl.ClientSSL()
	}
	return p, nil
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}
