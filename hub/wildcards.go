package hub

import "sync"

// waitedPatterns are the patterns that requests wait for, as a tree of their tokens. Any goroutine.
type waitedPatterns struct {
	mu   sync.RWMutex
	root patternNode
}

// patternNode stands for the beginning of patterns. It is guarded by waitedPatterns.mu.
type patternNode struct {
	next    map[string]*patternNode // by the token
	key     string                  // of the pattern that ends here
	waiting int                     // requests that wait for it
}

// add notes that a request waits for keys. Those without wildcards are none of its.
func (w *waitedPatterns) add(keys []string) { w.count(keys, 1) }

// remove is the opposite of add.
func (w *waitedPatterns) remove(keys []string) { w.count(keys, -1) }

func (w *waitedPatterns) count(keys []string, by int) {
	if w == nil {
		return
	}
	for _, key := range keys {
		if pattern, ok := patternOf(key); ok {
			w.mu.Lock()
			w.root.count(key, pattern, true, by)
			w.mu.Unlock()
		}
	}
}

// count counts a request for what is left of the pattern of key.
func (n *patternNode) count(key, left string, more bool, by int) {
	if !more {
		n.key = key
		n.waiting += by
		return
	}
	token, left, more := cut(left)
	next := n.next[token]
	if next == nil {
		next = new(patternNode)
		if n.next == nil {
			n.next = make(map[string]*patternNode)
		}
		n.next[token] = next
	}
	if next.count(key, left, more, by); next.waiting == 0 && len(next.next) == 0 {
		delete(n.next, token)
	}
}

// take hands a message to those that wait for it by a pattern.
func (w *waitedPatterns) take(h *Hub, m Message) (reached int) {
	var room [8]string
	w.mu.RLock()
	keys := w.root.find(room[:0], m.Topic, true)
	w.mu.RUnlock()
	for _, key := range keys {
		reached += h.shard(key).take(key, m)
	}
	return reached
}

// find appends the keys of the patterns which what is left of a topic is matched by.
func (n *patternNode) find(keys []string, left string, more bool) []string {
	if !more {
		if n.waiting > 0 {
			keys = append(keys, n.key)
		}
		return keys
	}
	if rest := n.next[">"]; rest != nil && rest.waiting > 0 {
		keys = append(keys, rest.key)
	}
	if n.next == nil {
		return keys
	}
	token, left, more := cut(left)
	if any := n.next["*"]; any != nil {
		keys = any.find(keys, left, more)
	}
	if same := n.next[token]; same != nil && token != "*" && token != ">" {
		keys = same.find(keys, left, more)
	}
	return keys
}
