//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package loop

import (
	"log/slog"

	gneterrors "github.com/panjf2000/gnet/v2/pkg/errors"
	"github.com/panjf2000/gnet/v2/pkg/netpoll"
)

// readiness is what kqueue says of a descriptor.
type readiness = netpoll.IOEvent

// What descriptors are watched for.
const (
	forInput = 1 << iota
	forOutput
	onChange // edge-triggered
	// forConnections is what a listener is watched for: gnet's poller cannot rest from what is level-triggered.
	forConnections = forInput | onChange
)

// poller is gnet's on kqueue.
type poller struct{ *netpoll.Poller }

func openPoller(log *slog.Logger) (*poller, error) {
	logGnet(log)
	p, err := netpoll.OpenPoller()
	return &poller{p}, err
}

func (p *poller) close() error { return p.Close() }

func (p *poller) add(fd int, events uint32) error {
	pa := netpoll.PollAttachment{FD: fd}
	if events&forOutput != 0 {
		return p.AddReadWrite(&pa, events&onChange != 0)
	}
	return p.AddRead(&pa, events&onChange != 0)
}

func (p *poller) remove(fd int) error { return p.Delete(fd) }

// poll has handle told of events until it returns false. idle and yields are not called: gnet's poller yields by itself.
func (p *poller) poll(handle func(fd int, ev readiness) bool, _ func(), _ func() bool) error {
	err := p.Polling(func(fd int, ev netpoll.IOEvent, _ netpoll.IOFlags) error {
		if !handle(fd, ev) {
			return gneterrors.ErrEngineShutdown
		}
		return nil
	})
	if err == gneterrors.ErrEngineShutdown {
		return nil
	}
	return err
}

func isReadable(ev readiness) bool { return netpoll.IsReadEvent(ev) }
func isWritable(ev readiness) bool { return netpoll.IsWriteEvent(ev) }

func isEnd(readiness) bool    { return false } // it is read
func isHangup(readiness) bool { return false } // the next read or write reports it
