package accesslog

import "time"

// For the tests.
const (
	PageSize    = pageSize
	QueueLength = queueLength
)

// Render is the line of an entry at a time, after so many nanoseconds, in a log of one line in so many.
func Render(format Format, at time.Time, took int64, weight int, e *Entry) (string, error) {
	form, err := format.compile()
	if err != nil {
		return "", err
	}
	s := new(stamp)
	s.set(at)
	form.append(nil, s, e, e.Begun+took, weight) // what is kept of it must not change the next one
	return string(form.append(nil, s, e, e.Begun+took, weight)), nil
}

// WantsOf is what a format wants.
func WantsOf(format Format) Wants {
	form, err := format.compile()
	if err != nil {
		panic(err)
	}
	return form.wants
}

// Calm moves the last failure back, as if writing had gone well since. Only the writer's goroutine may call it.
func (l *Log) Calm() { l.failed = l.failed.Add(-calm - time.Second) }
