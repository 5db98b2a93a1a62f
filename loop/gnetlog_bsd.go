//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package loop

import (
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/panjf2000/gnet/v2/pkg/logging"
)

var setGnetLogger sync.Once

// logGnet sends what gnet's pollers log to log, instead of to standard output. gnet has one logger for
// the process: the first reactor's is used.
func logGnet(log *slog.Logger) {
	setGnetLogger.Do(func() { logging.SetDefaultLoggerAndFlusher(gnetLogger{log}, nil) })
}

type gnetLogger struct{ log *slog.Logger }

func (g gnetLogger) Debugf(format string, args ...any) { g.log.Debug(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Infof(format string, args ...any)  { g.log.Info(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Warnf(format string, args ...any)  { g.log.Warn(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Errorf(format string, args ...any) { g.log.Error(fmt.Sprintf(format, args...)) }
func (g gnetLogger) Fatalf(format string, args ...any) {
	g.log.Error(fmt.Sprintf(format, args...))
	os.Exit(1)
}
