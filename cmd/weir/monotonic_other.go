//go:build !linux

package main

import "time"

// monotonic is for systemd, which other systems do not have.
func monotonic() time.Duration { return 0 }
