// Package storetest says in tests what hub.Store promises.
package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
)

// patience is how long what must happen is waited for.
const patience = 30 * time.Second

// Open opens an empty store with these bounds. The test closes it.
type Open func(t *testing.T, bounds hub.MemoryOptions) hub.Store

// Run holds a store to what hub.Store promises.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		name   string
		bounds hub.MemoryOptions
		test   func(t *testing.T, s *store)
	}{
		{"Read", hub.MemoryOptions{}, testRead},
		{"Bounds", hub.MemoryOptions{Messages: 3}, testBounds},
		{"Data", hub.MemoryOptions{}, testData},
		{"Topics", hub.MemoryOptions{}, testTopics},
		{"Order", hub.MemoryOptions{}, testOrder},
		{"Reached", hub.MemoryOptions{}, testReached},
		{"Close", hub.MemoryOptions{}, testClose},
		{"Matching", hub.MemoryOptions{Wildcards: true, Messages: 3}, testMatching},
		{"MatchingOrder", hub.MemoryOptions{Wildcards: true}, testMatchingOrder},
		{"MatchingOff", hub.MemoryOptions{}, testMatchingOff},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &store{Store: open(t, c.bounds), t: t, reached: func(hub.Message) int { return 0 }}
			defer s.Close()
			s.Notify(func(m hub.Message) int { return s.reached(m) })
			s.first = s.begin()
			c.test(t, s)
		})
	}
}

// store is what is tested, with the position at which it began.
type store struct {
	hub.Store
	t       *testing.T
	first   uint64
	reached func(m hub.Message) int
}

// begin waits until the store can be read.
func (s *store) begin() uint64 {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		page, err := s.Read("a", 0, 1)
		if err == nil {
			return page.Last
		}
		if time.Now().After(deadline) {
			s.t.Fatal(err)
		}
	}
}

func (s *store) append(topic, data string) (id uint64) {
	s.t.Helper()
	id, _, err := s.Append(topic, []byte(data))
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *store) read(topic string, since uint64, limit int) hub.Page {
	s.t.Helper()
	page, err := s.Read(topic, since, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}

// want checks the ids that are read.
func (s *store) want(topic string, since uint64, limit int, ids ...uint64) {
	s.t.Helper()
	page := s.read(topic, since, limit)
	var got []uint64
	for _, m := range page.Messages {
		got = append(got, m.ID)
	}
	if page.Gone || !slices.Equal(got, ids) {
		s.t.Errorf("%s since %d: got %d, gone %v; want %d", topic, since, got, page.Gone, ids)
	}
}

func testRead(t *testing.T, s *store) {
	s.want("a", 0, 5)
	s.want("a", s.first, 5)
	var a []uint64
	for i := range 7 {
		a = append(a, s.append("a", fmt.Sprint(i)))
		if i == 2 {
			s.append("b", "other")
		}
	}
	if !slices.IsSorted(a) || a[0] <= s.first {
		t.Fatalf("the ids are %d behind %d", a, s.first)
	}
	s.want("a", 0, 5, a[:5]...)
	s.want("a", s.first, 2, a[:2]...)
	s.want("a", a[0], 9, a[1:]...)
	s.want("a", a[2]+1, 9, a[3:]...) // the other topic's
	s.want("a", a[6], 9)
	s.want("a", a[6], 0)
	s.want("c", s.first, 9)
	if page := s.read("a", 0, 0); page.Last != a[6] || page.Oldest != a[0] {
		t.Errorf("the page is %+v; want %d to %d", page, a[0], a[6])
	}
	if page := s.read("c", 0, 9); page.Last != a[6] || page.Oldest != a[6]+1 {
		t.Errorf("the page of a topic without messages is %+v; want %d", page, a[6])
	}
	if s.first > 1 && !s.read("a", s.first-1, 9).Gone {
		t.Error("a position before the beginning is not gone")
	}
}

func testBounds(t *testing.T, s *store) {
	var ids []uint64
	for i := range 8 {
		ids = append(ids, s.append("a", fmt.Sprint(i)))
	}
	s.want("a", 0, 9, ids[5:]...)
	s.want("a", ids[4], 9, ids[5:]...)
	if page := s.read("a", ids[3], 9); !page.Gone || page.Oldest != ids[5] || page.Dropped != ids[4] {
		t.Errorf("what was dropped is not gone: %+v", page)
	}
	s.want("b", ids[2], 9)
}

func testData(t *testing.T, s *store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, data := range []string{"", "text", string(every), strings.Repeat("x", 64<<10)} {
		id := s.append("a", data)
		page := s.read("a", id-1, 1)
		if len(page.Messages) != 1 || page.Messages[0].ID != id || page.Messages[0].Topic != "a" || !bytes.Equal(page.Messages[0].Data, []byte(data)) {
			t.Errorf("%.20q: got %+v", data, page)
		}
	}
}

func testTopics(t *testing.T, s *store) {
	topics := []string{"a", "A", "a.b", "a..b", ".a", "a.", ".", "..", "...", " ", "a b", "*", ">", "a.*", "a.>", "%", "%20", "%2e", "a/b", "$SYS", "$JS.API",
		"ä", "日本", "😀", strings.Repeat("long.", 40), "\\", `"`, "_INBOX.x"}
	ids := make([]uint64, len(topics))
	for i, topic := range topics {
		ids[i] = s.append(topic, topic)
	}
	for i, topic := range topics {
		s.want(topic, 0, 9, ids[i])
		if m := s.read(topic, 0, 9).Messages; len(m) == 1 && (m[0].Topic != topic || string(m[0].Data) != topic) {
			t.Errorf("%q came as %+v", topic, m)
		}
	}
}

// testOrder: each message arrives once, in the order of ids within its topic, when it can be read.
func testOrder(t *testing.T, s *store) {
	const topics, each = 4, 25
	var mu sync.Mutex
	arrived := make(map[string][]uint64)
	s.reached = func(m hub.Message) int {
		mu.Lock()
		defer mu.Unlock()
		arrived[m.Topic] = append(arrived[m.Topic], m.ID)
		return 0
	}
	var publishers, readers sync.WaitGroup
	for i := range 2 * topics {
		publishers.Go(func() {
			for range each {
				s.append(fmt.Sprint("topic", i%topics), "data")
			}
		})
	}
	for i := range topics {
		readers.Go(func() { // what is read behind a position is never before what was read already, and complete
			since, n := s.first, 0
			for deadline := time.Now().Add(patience); n < 2*each && time.Now().Before(deadline); {
				page := s.read(fmt.Sprint("topic", i), since, 3)
				for _, m := range page.Messages {
					if m.ID <= since {
						t.Errorf("%d is read behind %d", m.ID, since)
					}
					since = m.ID
					n++
				}
				if len(page.Messages) == 0 {
					since = max(since, page.Last)
					time.Sleep(100 * time.Microsecond)
				}
			}
			if n != 2*each {
				t.Errorf("a reader has got %d messages of %d", n, 2*each)
			}
		})
	}
	publishers.Wait()
	readers.Wait()
	mu.Lock()
	defer mu.Unlock()
	for i := range topics {
		topic := fmt.Sprint("topic", i)
		ids := arrived[topic]
		if len(ids) != 2*each || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
			t.Errorf("%s: %d messages arrived, with the ids %d", topic, len(ids), ids)
		}
		s.want(topic, s.first, 1000, ids...)
	}
}

func testReached(t *testing.T, s *store) {
	s.reached = func(m hub.Message) int { return len(m.Data) }
	for n := range 5 {
		if _, reached, err := s.Append("a", make([]byte, n)); reached != n || err != nil {
			t.Errorf("reached is %d, %v; want %d", reached, err, n)
		}
	}
}

func testClose(t *testing.T, s *store) {
	id := s.append("a", "data")
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := s.Append("a", nil); err == nil {
		t.Error("a message was added to a store that is closed")
	}
	s.want("a", 0, 9, id)
}
