//go:build unix

package loop

// watched is a descriptor that is not a connection's.
type watched struct{ readable, ended func() }

// Watch has readable called, on the loop, whenever fd can be read or has failed: level-triggered, so that what one call leaves is
// announced again. readable must not block, and finds nothing now and then. ended is called on the loop when that ends while fd is
// still watched; what goes on with fd must leave the loop then.
func (l *Loop) Watch(fd int, readable, ended func()) error {
	if err := l.poller.add(fd, forInput); err != nil {
		return err
	}
	l.watched[fd] = &watched{readable, ended}
	return nil
}

// Unwatch ends Watch. It comes before fd is closed.
func (l *Loop) Unwatch(fd int) {
	if _, ok := l.watched[fd]; ok {
		delete(l.watched, fd)
		_ = l.poller.remove(fd)
	}
}

// Exited is closed when the loop has ended: nothing that was posted runs from then on. Any goroutine may call it.
func (l *Loop) Exited() <-chan struct{} { return l.exited }
