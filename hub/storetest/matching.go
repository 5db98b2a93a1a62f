package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
)

// matching reads by a pattern.
func (s *store) matching(pattern string, since uint64, limit int) hub.Page {
	s.t.Helper()
	page, err := s.Store.(hub.WildcardStore).ReadMatching(pattern, since, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

func testMatching(t *testing.T, s *store) {
	topics := []string{"a.1", "b", "a.2", "a.1.x", "a.1", "a.1", "c", "a.1", "a..1"} // the first of a.1 is dropped
	ids := make([]uint64, len(topics))
	for i, topic := range topics {
		ids[i] = s.append(topic, topic)
	}
	for _, c := range []struct {
		pattern string
		since   uint64
		limit   int
		want    []int // indexes of ids
		gone    bool
	}{
		{"a.*", ids[0], 9, []int{2, 4, 5, 7, 8}, false},
		{"a.*", ids[0], 2, []int{2, 4}, false},
		{"a.*", ids[4] + 1, 9, []int{7, 8}, false},
		{"a.*", ids[8], 9, nil, false},
		{"a.*", ids[0], 0, nil, false},
		{"a.*", s.first, 0, nil, true},
		{">", ids[5], 0, nil, false},
		{"a.*", s.first, 9, nil, true},
		{"a.*", 0, 9, []int{2, 4, 5, 7, 8}, false},
		{"a.>", ids[0], 9, []int{2, 3, 4, 5, 7, 8}, false},
		{">", ids[2], 9, []int{3, 4, 5, 6, 7, 8}, false},
		{"*", s.first, 9, []int{1, 6}, false},
		{"*.2", s.first, 9, []int{2}, false},
		{"none.*", s.first, 9, nil, false},
	} {
		page := s.matching(c.pattern, c.since, c.limit)
		var want, got []string
		for _, i := range c.want {
			want = append(want, fmt.Sprint(ids[i], topics[i]))
		}
		for _, m := range page.Messages {
			if string(m.Data) != m.Topic {
				t.Errorf("%s came as %q", m.Topic, m.Data)
			}
			got = append(got, fmt.Sprint(m.ID, m.Topic))
		}
		if !slices.Equal(got, want) || page.Gone != c.gone || page.Last != ids[8] {
			t.Errorf("%s since %d: got %v, gone %v, last %d; want %v", c.pattern, c.since, got, page.Gone, page.Last, want)
		}
		if c.gone && page.Oldest != ids[2] {
			t.Errorf("%s since %d: the oldest is %d, want %d", c.pattern, c.since, page.Oldest, ids[2])
		}
	}
	// What is before a message that was dropped comes first.
	before := s.append("p.1", "")
	for range 4 {
		s.append("p.2", "")
	}
	if page := s.matching("p.*", ids[8], 9); page.Gone || len(page.Messages) != 1 || page.Messages[0].ID != before {
		t.Errorf("before what was dropped there is %+v; want %d", page, before)
	}
	for _, since := range []uint64{ids[8], before} {
		if page := s.matching("p.*", since, 0); !page.Gone {
			t.Errorf("since %d nothing is gone: %+v", since, page)
		}
	}
	if page := s.matching("p.*", before, 9); !page.Gone || len(page.Messages) > 0 {
		t.Errorf("behind %d there is %+v", before, page)
	}
}

// testMatchingOrder: messages of all topics arrive in the order of ids, and are read by a pattern as they have arrived.
func testMatchingOrder(t *testing.T, s *store) {
	const topics, each = 6, 25
	var mu sync.Mutex
	var arrived []uint64
	s.reached = func(m hub.Message) int {
		mu.Lock()
		defer mu.Unlock()
		arrived = append(arrived, m.ID)
		return 0
	}
	var running sync.WaitGroup
	for i := range topics {
		running.Go(func() {
			for range each {
				s.append(fmt.Sprint("t.", i), "data")
			}
		})
	}
	var read []uint64
	since := s.first
	for deadline := time.Now().Add(patience); len(read) < topics*each && time.Now().Before(deadline); {
		page := s.matching("t.*", since, 7)
		for _, m := range page.Messages {
			read = append(read, m.ID)
			since = m.ID
		}
		if len(page.Messages) == 0 {
			since = max(since, page.Last)
			time.Sleep(100 * time.Microsecond)
		}
	}
	running.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(arrived) != topics*each || !slices.IsSorted(arrived) || !slices.Equal(read, arrived) {
		t.Errorf("%d were read and %d have arrived:\n%d\n%d", len(read), len(arrived), read, arrived)
	}
}

// testMatchingOff: who has not asked for it is told so.
func testMatchingOff(t *testing.T, s *store) {
	if _, err := s.Store.(hub.WildcardStore).ReadMatching("a.*", 0, 1); !errors.Is(err, hub.ErrWildcards) {
		t.Errorf("it gives %v", err)
	}
}
