package main

import (
	"strings"
	"testing"
)

// TestForwardedAllowIPs: who is believed is said by the option, and by the environment for those who come from gunicorn.
func TestForwardedAllowIPs(t *testing.T) {
	const field = "X-Forwarded-For: 192.0.2.1\r\n"
	for _, c := range []struct {
		name, variable string
		args           []string
		believed       bool
	}{
		{"this machine", "", nil, true},
		{"others", "", []string{"--forwarded-allow-ips", "10.0.0.0/8,fd00::/8"}, false},
		{"whoever connects", "", []string{"--forwarded-allow-ips=*"}, true},
		{"others, by the environment", "10.0.0.0/8", nil, false},
		{"the option comes first", "10.0.0.0/8", []string{"--forwarded-allow-ips=127.0.0.1"}, true},
		{"another field", "", []string{"--forwarded-headers", "X-Forwarded-Proto, Forwarded"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.variable != "" {
				t.Setenv("FORWARDED_ALLOW_IPS", c.variable)
			}
			p := start(t, nil, append([]string{"demo", "-b", "127.0.0.1:0"}, c.args...)...)
			body := p.ask("GET", "/environ", field).body
			if got := strings.Contains(body, `"REMOTE_ADDR": "192.0.2.1"`); got != c.believed {
				t.Errorf("believed: %v:\n%s", got, body)
			}
			if got := strings.Contains(body, "HTTP_X_FORWARDED_FOR"); got != c.believed {
				t.Errorf("the application sees the field: %v", got)
			}
		})
	}
}
