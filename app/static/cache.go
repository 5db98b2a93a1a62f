package static

import (
	"container/list"
	"sync"
	"time"
)

// freshFor is how long a file is taken for what it was when it was looked at. While somebody looks again, others are served what there is
// for as long once more.
const freshFor = time.Second

// inMemory is up to how many octets a file is kept as a whole instead of open: it leaves together with its head then.
const inMemory = 16 << 10

// maxResources bounds the cache beside the open files, and so its memory: to 16 MiB and somewhat more.
const maxResources = 1024

// cache keeps the resources that were asked for last, by their paths. Its zero value is empty.
type cache struct {
	maxOpen int

	mu      sync.Mutex
	entries map[string]*list.Element // of *entry
	order   list.List                // the one that was used last is first
	open    int                      // files
}

type entry struct {
	path     string
	resource *resource
	renewing bool // somebody looks again
}

// get returns the resource of a path; nil: there is none that is fresh.
func (c *cache) get(path []byte, now time.Time) *resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[string(path)]
	if e == nil {
		return nil
	}
	found := e.Value.(*entry)
	age := now.Sub(found.resource.checked)
	if age >= freshFor && !found.renewing {
		found.renewing = true
		return nil
	}
	if age >= 2*freshFor {
		return nil
	}
	c.order.MoveToFront(e)
	return found.resource
}

// peek is get for one that need not be fresh.
func (c *cache) peek(path string) *resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[path]; e != nil {
		return e.Value.(*entry).resource
	}
	return nil
}

// put takes the resource over.
func (c *cache) put(path string, r *resource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[string]*list.Element)
	}
	if e := c.entries[path]; e != nil {
		c.drop(e)
	}
	c.entries[path] = c.order.PushFront(&entry{path: path, resource: r})
	c.open += r.open()
	for c.order.Len() > maxResources || c.open > c.maxOpen {
		c.drop(c.order.Back())
	}
}

func (c *cache) remove(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.entries[path]; e != nil {
		c.drop(e)
	}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.order.Len() > 0 {
		c.drop(c.order.Back())
	}
}

// drop forgets a resource. Its files are closed when nobody is sent them any more. c.mu is held.
func (c *cache) drop(e *list.Element) {
	out := c.order.Remove(e).(*entry)
	delete(c.entries, out.path)
	c.open -= out.resource.open()
	out.resource.release()
}
