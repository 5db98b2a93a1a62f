package app

import "time"

// DeadlineKey is the environ key of when the client gives the answer up, a time.Time. Middleware sets it; what an application does for the
// request should end by then. The context of the request of a net/http handler does.
const DeadlineKey = "weir.deadline"

// Deadline is the value of DeadlineKey; ok is false when there is none.
func Deadline(environ *Environ) (at time.Time, ok bool) {
	v, _ := environ.Value(DeadlineKey)
	at, ok = v.(time.Time)
	return at, ok
}
