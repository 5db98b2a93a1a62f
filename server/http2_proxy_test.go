package server_test

import (
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/weirhttp/weir/server"
)

// TestHTTP2ProxyProtocol: the client is the one that the PROXY protocol names.
func TestHTTP2ProxyProtocol(t *testing.T) {
	s := serve(t, server.Config{H2C: true, Application: listing, ProxyProtocol: []string{server.AllAddresses}})
	c := s.dial()
	send(t, c, "PROXY TCP4 203.0.113.7 198.51.100.1 4711 8443\r\n"+http2.ClientPreface)
	f := &frames{Framer: http2.NewFramer(c, c), Conn: c, stream: 1, block: headerBlock("/")}
	_, _ = f.WriteSettings(), f.headers(f.block, true, true)
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := frame.(*http2.DataFrame); ok {
			for _, want := range []string{"REMOTE_ADDR=203.0.113.7\n", "SERVER_NAME=198.51.100.1\n", "SERVER_PORT=8443\n"} {
				if !strings.Contains(string(data.Data()), want) {
					t.Errorf("got\n%swant %s", data.Data(), want)
				}
			}
			return
		}
	}
}
