package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/lmittmann/tint"

	"github.com/weirhttp/weir/server"
	"github.com/weirhttp/weir/server/accesslog"
	"github.com/weirhttp/weir/server/logfile"
)

// logFlags say what is logged, where, and how.
type logFlags struct {
	AccessLog       string   `placeholder:"FILE" aliases:"access-logfile" help:"Append a line for each request to FILE; - is standard output. Off by default."`
	AccessLogFormat string   `placeholder:"FORM" aliases:"access-logformat" default:"${accessLogFormat}" help:"Form of these lines: common, combined, json, or a text with gunicorn's atoms, such as '%(h)s \"%(r)s\" %(s)s' (default: ${default})."`
	AccessLogSample int      `placeholder:"N" default:"1" help:"Log one request of N, and all that fail."`
	ErrorLogfile    string   `placeholder:"FILE" aliases:"log-file" default:"-" help:"Append what weir has to say to FILE; - is standard error."`
	LogFormat       string   `enum:"auto,text,json" default:"auto" help:"Form of that: text, json, or auto: text on a terminal, and json otherwise."`
	LogLevel        logLevel `enum:"debug,info,warn,warning,error,critical" default:"info" help:"What of it is logged: debug, info, warn, error or critical, and what is worse."`

	accessFile, errorFile *logfile.File // nil: there is none
}

// logLevel is a name of one, in small letters: gunicorn takes INFO for info.
type logLevel string

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *logLevel) UnmarshalText(text []byte) error {
	*l = logLevel(strings.ToLower(string(text)))
	return nil
}

// levels are those of --log-level.
var levels = map[logLevel]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "warning": slog.LevelWarn, "error": slog.LevelError,
	"critical": slog.LevelError + 4,
}

// newLogger returns a logger that writes to w what is of level, and what is worse. format is one of --log-format.
func newLogger(w io.Writer, i ink, format string, level slog.Level) *slog.Logger {
	return slog.New(leveled{newHandler(w, i, format), level})
}

// newHandler returns a handler of all levels.
func newHandler(w io.Writer, i ink, format string) slog.Handler {
	const all = slog.LevelDebug
	switch {
	case format == "json" || format == "auto" && !i.terminal:
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: all, ReplaceAttr: durationsAsText})
	case i.terminal:
		return tint.NewHandler(w, &tint.Options{Level: all, TimeFormat: "2006-01-02 15:04:05", NoColor: !i.coloured})
	}
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: all})
}

// leveled has what is below level left out.
type leveled struct {
	slog.Handler
	level slog.Level
}

func (h leveled) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{h.Handler.WithAttrs(attrs), h.level}
}

func (h leveled) WithGroup(name string) slog.Handler {
	return leveled{h.Handler.WithGroup(name), h.level}
}

// outputLogger is the log without --log-level, which is about what weir itself has to say: for what workers print.
func outputLogger() *slog.Logger {
	if h, ok := slog.Default().Handler().(leveled); ok {
		return slog.New(h.Handler)
	}
	return slog.Default()
}

// durationsAsText has "30s" in JSON, as text has it, and not 30000000000.
func durationsAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// logToStandardError is how weir logs until it knows its options.
func logToStandardError() {
	slog.SetDefault(newLogger(os.Stderr, inkFor(os.Stderr), "auto", slog.LevelInfo))
}

// logsOf are the logs of a command; nil when it has none.
func logsOf(command *kong.Context) *serveFlags {
	if node := command.Selected(); node != nil && node.Target.CanAddr() {
		if c, ok := node.Target.Addr().Interface().(interface{ flags() *serveFlags }); ok {
			return c.flags()
		}
	}
	return nil
}

func (f *serveFlags) flags() *serveFlags { return f }

// check tells what is wrong with the flags.
func (f *logFlags) check() error {
	if err := accesslog.Format(f.AccessLogFormat).Check(); err != nil {
		return &usageError{"--access-log-format: " + err.Error()}
	}
	if f.AccessLogSample < 1 {
		return &usageError{"--access-log-sample must be 1 or more"}
	}
	return nil
}

// openLogs opens the log files, and has weir log as the flags say.
func (f *serveFlags) openLogs() error {
	if err := f.logFlags.check(); err != nil {
		return err
	}
	if err := f.setUmask(); err != nil {
		return err
	}
	var err error
	switch f.AccessLog {
	case "":
	case "-":
		f.accessFile, err = logfile.Stream(os.Stdout)
	default:
		f.accessFile, err = logfile.Open(f.AccessLog)
	}
	if err != nil {
		return fmt.Errorf("--access-log: %w", err)
	}
	var to io.Writer = os.Stderr
	i := inkFor(os.Stderr)
	if f.ErrorLogfile != "-" && f.ErrorLogfile != "" {
		if f.errorFile, err = logfile.Open(f.ErrorLogfile); err != nil {
			return fmt.Errorf("--error-logfile: %w", err)
		}
		to, i = f.errorFile, ink{}
	}
	slog.SetDefault(newLogger(to, i, f.LogFormat, levels[f.LogLevel]))
	f.reopenLogs()
	return nil
}

// reopenLogs has the files opened again at each SIGUSR1, from now on to the end of the process, whose end that signal would be otherwise.
func (f *logFlags) reopenLogs() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
			for _, file := range []*logfile.File{f.accessFile, f.errorFile} {
				if file == nil {
					continue
				}
				if err := file.Reopen(); err != nil { // which names the file
					slog.Error("SIGUSR1: a log file cannot be opened again, the old one is used on", "error", err)
				}
			}
			slog.Info("SIGUSR1: log files are opened again")
		}
	}()
}

// closeLogs closes the files. err is how the command has ended: where standard error is not the log, the log tells it too.
func (f *serveFlags) closeLogs(err error) {
	if f.accessFile != nil {
		_ = f.accessFile.Close()
	}
	if f.errorFile != nil {
		if err != nil {
			slog.Error("weir ends", "error", err)
		}
		logToStandardError()
		_ = f.errorFile.Close()
	}
}

// apply puts the flags into a server.Config.
func (f *logFlags) apply(c *server.Config) {
	if f.accessFile != nil {
		c.AccessLog = f.accessFile
	}
	c.AccessLogFormat, c.AccessLogSample = accesslog.Format(f.AccessLogFormat), f.AccessLogSample
}
