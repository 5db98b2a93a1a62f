package acme

import (
	"testing"
	"time"
)

// CheckEvery has managers that are made until the test ends look at their certificates so often.
func CheckEvery(t *testing.T, d time.Duration) {
	before := renewCheck
	renewCheck = d
	t.Cleanup(func() { renewCheck = before })
}
