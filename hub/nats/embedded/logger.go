package embedded

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// logger takes what NATS says. Notices are of how it starts and elects: they are for who looks for what is wrong.
type logger struct {
	log *slog.Logger

	mu    sync.Mutex
	error string // the last one
}

func (l *logger) Noticef(format string, v ...any) { l.log.Debug("NATS: " + fmt.Sprintf(format, v...)) }
func (l *logger) Debugf(format string, v ...any)  {}
func (l *logger) Tracef(format string, v ...any)  {}
func (l *logger) Fatalf(format string, v ...any)  { l.Errorf(format, v...) }

func (l *logger) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "Plaintext passwords") { // ours is made anew each time
		return
	}
	l.log.Warn("NATS: " + fmt.Sprintf(format, v...))
}

func (l *logger) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.HasPrefix(text, "Error trying to connect to route") { // it is not there yet, or restarts
		l.log.Debug("NATS: " + text)
		return
	}
	l.log.Error("NATS: " + text)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.error = text
}

func (l *logger) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.error
}
