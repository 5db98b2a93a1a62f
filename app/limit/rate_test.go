package limit

import (
	"fmt"
	"testing"
	"time"
)

// TestTake: a bucket fills again with time, and the wait that is told is long enough.
func TestTake(t *testing.T) {
	b := newBuckets(RateOptions{PerSecond: 10, Burst: 3, MaxKeys: 100})
	now := time.Unix(1000, 0)
	for i := range 3 {
		if wait := b.take("a", now); wait != 0 {
			t.Fatalf("request %d waits for %v", i, wait)
		}
	}
	wait := b.take("a", now)
	if wait <= 0 || wait > 101*time.Millisecond {
		t.Fatalf("one too many waits for %v", wait)
	}
	if early := b.take("a", now.Add(wait/2)); early == 0 {
		t.Error("it need not have waited")
	}
	if again := b.take("a", now.Add(wait+time.Millisecond)); again != 0 {
		t.Errorf("it waits for another %v", again)
	}
	if wait := b.take("a", now.Add(time.Hour)); wait != 0 {
		t.Errorf("an hour later it waits for %v", wait)
	}
}

// TestTableIsBounded: very many keys are not all kept, and one that keeps coming is not forgotten among them.
func TestTableIsBounded(t *testing.T) {
	const most = 1600
	b := newBuckets(RateOptions{PerSecond: 0.001, Burst: 1, MaxKeys: most})
	now := time.Unix(1000, 0)
	b.take("busy", now)
	for i := range 100 * most {
		b.take(fmt.Sprint("key ", i), now)
		if i%100 == 0 && b.take("busy", now) == 0 {
			t.Fatalf("forgotten among %d keys", i)
		}
	}
	keys := 0
	for i := range b.shards {
		keys += len(b.shards[i].recent) + len(b.shards[i].old)
	}
	if keys > most {
		t.Errorf("%d keys are kept", keys)
	}
}
