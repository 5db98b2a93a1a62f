package server

import (
	"fmt"

	"github.com/weirhttp/weir/server/forwarded"
)

// proxies is what the configuration says of proxies in front, made ready for use.
type proxies struct {
	forwarded *forwarded.Policy
}

// proxies checks the fields of the configuration that are about proxies in front.
func (c *Config) proxies() (p proxies, err error) {
	trusted, err := networks("ForwardedAllowIPs", c.ForwardedAllowIPs)
	if err != nil {
		return p, err
	}
	if p.forwarded, err = forwarded.NewPolicy(trusted, c.ForwardedHeaders); err != nil {
		return p, fmt.Errorf("server: Config.ForwardedHeaders: %w", err)
	}
	return p, nil
}

// networks reads the networks of a field; without any, this machine is trusted.
func networks(field string, list []string) (forwarded.Networks, error) {
	if len(list) == 0 {
		list = forwarded.Loopback
	}
	n, err := forwarded.ParseNetworks(list)
	if err != nil {
		return n, fmt.Errorf("server: Config.%s: %w", field, err)
	}
	return n, nil
}
