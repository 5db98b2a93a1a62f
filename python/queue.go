package python

// queue is the requests that wait for a worker, oldest first. One whose client has left keeps its place, and is skipped.
type queue struct {
	ring  []*request // its length is a power of 2
	first int
	used  int // places
	count int // requests that still wait
}

func (q *queue) grow() {
	ring := make([]*request, max(64, 2*len(q.ring)))
	for i := range q.used {
		ring[i] = q.ring[(q.first+i)&(len(q.ring)-1)]
	}
	q.ring, q.first = ring, 0
}

func (q *queue) push(r *request) {
	if q.used == len(q.ring) {
		q.grow()
	}
	q.ring[(q.first+q.used)&(len(q.ring)-1)] = r
	q.used++
	q.count++
}

// pushFront puts r in front of all others.
func (q *queue) pushFront(r *request) {
	if q.used == len(q.ring) {
		q.grow()
	}
	q.first = (q.first - 1) & (len(q.ring) - 1)
	q.ring[q.first] = r
	q.used++
	q.count++
}

// front is the oldest request, nil when there is none.
func (q *queue) front() *request {
	for q.used > 0 {
		if r := q.ring[q.first]; r.phase == queued {
			return r
		}
		q.drop()
	}
	return nil
}

// pop removes what front has returned.
func (q *queue) pop() {
	q.count--
	q.drop()
}

func (q *queue) drop() {
	q.ring[q.first] = nil
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.used--
}

// forget tells that a request which waits is over: its client has left.
func (q *queue) forget() { q.count-- }
