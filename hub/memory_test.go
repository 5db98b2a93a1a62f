package hub_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/weirhttp/weir/hub"
)

func newMemory(t *testing.T, options hub.MemoryOptions) *hub.Memory {
	t.Helper()
	if options.First == 0 {
		options.First = first
	}
	m := hub.NewMemory(options)
	m.Notify(func(hub.Message) int { return 0 })
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// add appends n messages of size octets to topic, and returns the id of the last.
func add(t *testing.T, m *hub.Memory, topic string, n, size int) (id uint64) {
	t.Helper()
	for range n {
		var err error
		if id, _, err = m.Append(topic, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	return id
}

// read checks which messages there are behind since, and whether some may be missing.
func read(t *testing.T, m *hub.Memory, topic string, since uint64, ids string, gone bool) {
	t.Helper()
	page, err := m.Read(topic, since, 5)
	if err != nil {
		t.Fatal(err)
	}
	got := []uint64{}
	for _, message := range page.Messages {
		got = append(got, message.ID)
	}
	if fmt.Sprint(got) != ids || page.Gone != gone {
		t.Errorf("%s since %d: got %v, gone %v; want %s, %v", topic, since, got, page.Gone, ids, gone)
	}
}

func TestMemoryRead(t *testing.T) {
	m := newMemory(t, hub.MemoryOptions{})
	read(t, m, "a", 0, "[]", false)
	read(t, m, "a", 99, "[]", true)
	read(t, m, "a", 100, "[]", false)
	read(t, m, "a", 101, "[]", true)
	add(t, m, "a", 3, 1)
	add(t, m, "b", 1, 1)
	add(t, m, "a", 4, 1)
	read(t, m, "a", 0, "[101 102 103 105 106]", false)
	read(t, m, "a", 103, "[105 106 107 108]", false)
	read(t, m, "a", 104, "[105 106 107 108]", false)
	read(t, m, "a", 108, "[]", false)
	read(t, m, "b", 100, "[104]", false)
	read(t, m, "c", 100, "[]", false)
}

// TestMemoryBounds of a topic: what is dropped is known to be.
func TestMemoryBounds(t *testing.T) {
	for _, c := range []struct {
		options hub.MemoryOptions
		sizes   []int
		oldest  uint64
	}{
		{hub.MemoryOptions{Messages: 3}, []int{1, 1, 1}, 101},
		{hub.MemoryOptions{Messages: 3}, []int{1, 1, 1, 1, 1}, 103},
		{hub.MemoryOptions{Bytes: 3 * 100}, []int{36, 36, 36}, 101},
		{hub.MemoryOptions{Bytes: 3 * 100}, []int{36, 36, 36, 36}, 102},
		{hub.MemoryOptions{Bytes: 3 * 100}, []int{36, 36, 137}, 103},
		{hub.MemoryOptions{Bytes: 3 * 100}, []int{36, 36, 36, 1000}, 104},
		{hub.MemoryOptions{TotalBytes: 3 * 100}, []int{36, 36, 36, 36, 137}, 105},
	} {
		m := newMemory(t, c.options)
		for _, size := range c.sizes {
			add(t, m, "a", 1, size)
		}
		page, err := m.Read("a", 0, 5)
		if err != nil || page.Oldest != c.oldest || page.Messages[0].ID != c.oldest {
			t.Errorf("%+v, %v: oldest is %d, %v; want %d", c.options, c.sizes, page.Oldest, err, c.oldest)
		}
		for since := uint64(100); since <= 100+uint64(len(c.sizes)); since++ {
			if page, err := m.Read("a", since, 5); err != nil || page.Gone != (since < c.oldest-1) {
				t.Errorf("%+v, %v: since %d gone is %v, %v", c.options, c.sizes, since, page.Gone, err)
			}
		}
	}
}

// TestMemoryAge: old messages go when there is a new one, and with the topic.
func TestMemoryAge(t *testing.T) {
	m := newMemory(t, hub.MemoryOptions{Age: 20 * time.Millisecond})
	add(t, m, "a", 2, 1)
	for began := time.Now(); time.Since(began) <= 20*time.Millisecond; {
		time.Sleep(time.Millisecond)
	}
	id := add(t, m, "a", 1, 1)
	read(t, m, "a", id-1, fmt.Sprint([]uint64{id}), false)
	read(t, m, "a", id-2, "[]", true)

	m = newMemory(t, hub.MemoryOptions{Age: time.Hour})
	const topics = 1000
	for i := range topics {
		add(t, m, fmt.Sprint(i), 1, 1)
	}
	m.Sweep(time.Now().Add(59 * time.Minute))
	if m.Bytes() != topics*65 {
		t.Fatalf("%d octets before their age", m.Bytes())
	}
	m.Sweep(time.Now().Add(time.Hour))
	if m.Bytes() != 0 {
		t.Errorf("%d octets are left", m.Bytes())
	}
	read(t, m, "0", 100, "[]", true)
	read(t, m, "0", 100+topics, "[]", false)
	id = add(t, m, "0", 1, 1)
	read(t, m, "0", 100, "[]", true)
	read(t, m, "0", id-1, "[1101]", false)
}

// TestMemorySweeps by itself.
func TestMemorySweeps(t *testing.T) {
	m := newMemory(t, hub.MemoryOptions{Age: 10 * time.Millisecond})
	add(t, m, "a", 10, 1)
	for deadline := time.Now().Add(patience); m.Bytes() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d octets are left", m.Bytes())
		}
	}
}

// TestMemoryTotals: the bounds of all topics together hold, and the topics that got a message last are there.
func TestMemoryTotals(t *testing.T) {
	for _, options := range []hub.MemoryOptions{{Topics: 500}, {TotalBytes: 500 * 100}} {
		m := newMemory(t, options)
		const topics = 5000
		for i := range topics {
			add(t, m, fmt.Sprint(i), 1, 36)
			if m.Bytes() > 565*100 { // a topic that is the only one of its shard stays
				t.Fatalf("%+v: %d octets", options, m.Bytes())
			}
		}
		id := uint64(first + topics)
		read(t, m, fmt.Sprint(topics-1), id-1, fmt.Sprint([]uint64{id}), false)
		read(t, m, "0", 100, "[]", true)
	}
}

// TestMemoryFirst: ids of an earlier process are known to be of one.
func TestMemoryFirst(t *testing.T) {
	m := hub.NewMemory(hub.MemoryOptions{})
	defer m.Close()
	m.Notify(func(hub.Message) int { return 0 })
	page, err := m.Read("a", 0, 1)
	if now := uint64(time.Now().UnixMicro()); err != nil || page.Last > now || page.Last < now-uint64(patience.Microseconds()) || now > 1<<53 {
		t.Errorf("the position is %d, %v", page.Last, err)
	}
	read(t, m, "a", page.Last-1, "[]", true)
}

// TestPublishCost: a message that nobody waits for costs a few allocations, however many wait for others.
func TestPublishCost(t *testing.T) {
	h := newHub(t, hub.Options{})
	l := newLoop()
	for i := range 1000 {
		l.ask(h.Poll("/"), "GET", fmt.Sprint("/other", i), nil)
	}
	data := []byte("data")
	if n := testing.AllocsPerRun(100, func() { publish(t, h, "a", "", 0, 0) }); n > 4 {
		t.Errorf("%v allocations for %s", n, data)
	}
}
