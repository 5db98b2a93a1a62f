package server

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// TestProcs: GOMAXPROCS is raised when calls block often, stays so while they do, and is lowered afterwards, and at the end.
func TestProcs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := runtime.GOMAXPROCS(0)
		expect := func(what string, spare int) {
			t.Helper()
			if got := runtime.GOMAXPROCS(0); got != base+spare {
				t.Errorf("%s: GOMAXPROCS is %d, want %d", what, got, base+spare)
			}
		}
		p := &procs{spare: 3}
		for range 3 * busyCalls { // seldom
			p.blocked()
			time.Sleep(time.Second)
		}
		expect("after calls that block seldom", 0)
		for range busyCalls {
			p.blocked()
		}
		expect("after calls that block", 3)
		for range 5 {
			time.Sleep(quietTime / 2)
			p.blocked()
		}
		expect("while calls block", 3)
		time.Sleep(quietTime + time.Millisecond)
		synctest.Wait()
		expect("afterwards", 0)
		for range busyCalls {
			p.blocked()
		}
		expect("when calls block again", 3)
		p.close()
		expect("at the end", 0)
		p.blocked()
		time.Sleep(2 * quietTime)
	})
}
