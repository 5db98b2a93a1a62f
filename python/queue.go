package python

// queue is the requests that wait for a worker: a lane for each loop that they wait on, because a worker that is read on a loop
// answers those best which wait there.
type queue struct {
	lanes []lane
	count int // requests that wait
}

// anyLane stands for no lane in particular.
const anyLane = -1

// overtaken is for how long, in nanoseconds, a request may have waited more than another one that goes first because of its lane.
const overtaken = 1e6

func (q *queue) lane(r *request) *lane {
	for r.lane >= len(q.lanes) {
		q.lanes = append(q.lanes, lane{})
	}
	return &q.lanes[r.lane]
}

func (q *queue) push(r *request) {
	q.lane(r).push(r)
	q.count++
}

// pushFront puts r in front of all others of its lane.
func (q *queue) pushFront(r *request) {
	q.lane(r).pushFront(r)
	q.count++
}

// front is the request whose turn it is with a worker of that lane: the oldest of the lane, unless another one is much older. It is nil when there is none.
func (q *queue) front(own int) *request {
	var first, best *request
	for i := range q.lanes {
		r := q.lanes[i].front()
		if i == own {
			first = r
		}
		if r != nil && (best == nil || r.arrived < best.arrived) {
			best = r
		}
	}
	if first != nil && first.arrived-best.arrived < overtaken {
		return first
	}
	return best
}

// pop removes what front has returned.
func (q *queue) pop(r *request) {
	q.lanes[r.lane].drop()
	q.count--
}

// popNewest removes the newest request of all. There must be one.
func (q *queue) popNewest() *request {
	var newest *lane
	for i := range q.lanes {
		l := &q.lanes[i]
		if r := l.back(); r != nil && (newest == nil || r.arrived > newest.back().arrived) {
			newest = l
		}
	}
	r := newest.back()
	newest.dropBack()
	q.count--
	return r
}

// forget tells that a request which waits is over: its client has left.
func (q *queue) forget() { q.count-- }

// lane is requests in the order in which they came. One whose client has left keeps its place, and is skipped.
type lane struct {
	ring  []*request // its length is a power of 2
	first int
	used  int // places
}

func (l *lane) grow() {
	ring := make([]*request, max(64, 2*len(l.ring)))
	for i := range l.used {
		ring[i] = l.ring[(l.first+i)&(len(l.ring)-1)]
	}
	l.ring, l.first = ring, 0
}

func (l *lane) push(r *request) {
	if l.used == len(l.ring) {
		l.grow()
	}
	l.ring[(l.first+l.used)&(len(l.ring)-1)] = r
	l.used++
}

func (l *lane) pushFront(r *request) {
	if l.used == len(l.ring) {
		l.grow()
	}
	l.first = (l.first - 1) & (len(l.ring) - 1)
	l.ring[l.first] = r
	l.used++
}

// front is the oldest request, nil when there is none.
func (l *lane) front() *request {
	for l.used > 0 {
		if r := l.ring[l.first]; r.phase == queued {
			return r
		}
		l.drop()
	}
	return nil
}

// back is the newest request, nil when there is none.
func (l *lane) back() *request {
	for l.used > 0 {
		if r := l.ring[(l.first+l.used-1)&(len(l.ring)-1)]; r.phase == queued {
			return r
		}
		l.dropBack()
	}
	return nil
}

func (l *lane) dropBack() {
	l.used--
	l.ring[(l.first+l.used)&(len(l.ring)-1)] = nil
}

func (l *lane) drop() {
	l.ring[l.first] = nil
	l.first = (l.first + 1) & (len(l.ring) - 1)
	l.used--
}
