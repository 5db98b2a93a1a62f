package accesslog

import "time"

// For the tests.
const (
	PageSize    = pageSize
	QueueLength = queueLength
)

// Render is the line of e.
func Render(format Format, date string, e *Entry) string {
	return string(appendEntry(nil, format, []byte(date), e))
}

// Calm moves the last failure back, as if writing had gone well since. Only the writer's goroutine may call it.
func (l *Log) Calm() { l.failed = l.failed.Add(-calm - time.Second) }
