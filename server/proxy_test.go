package server_test

import (
	"strings"
	"testing"

	"github.com/weirhttp/weir/app"
	"github.com/weirhttp/weir/server"
)

func TestProxyConfigIsChecked(t *testing.T) {
	for _, c := range []struct {
		field  string
		config server.Config
	}{
		{"Config.ForwardedAllowIPs", server.Config{ForwardedAllowIPs: []string{"10.0.0.0/99"}}},
		{"Config.ProxyAllowIPs", server.Config{ProxyAllowIPs: []string{"haproxy"}}},
		{"Config.ProxyProtocol", server.Config{ProxyProtocol: []string{"127.0.0.1:9000"}}},
		{"Config.ForwardedHeaders", server.Config{ForwardedHeaders: []string{"Host"}}},
	} {
		c.config.Application = func(*app.Environ, app.StartResponse) app.Body { return nil }
		c.config.Bind = []string{"127.0.0.1:0"}
		if _, err := server.New(c.config); err == nil || !strings.Contains(err.Error(), c.field+":") {
			t.Errorf("want an error of %s, got %v", c.field, err)
		}
	}
}
