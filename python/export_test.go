package python

import (
	"hash/maphash"
	"time"

	"github.com/weirhttp/weir/app"
)

// AppendMarshal and Unmarshal are the two sides of marshal.
var (
	AppendMarshal = appendMarshal
	Unmarshal     = unmarshal
)

// Tuple is a Python tuple.
type Tuple = tuple

// AppendLatin1 appends octets as a str.
func AppendLatin1(dst []byte, octets string) []byte { return appendLatin1(dst, octets) }

// Untag takes a tag off a line.
var Untag = untag

// SetScript has workers run another source than worker.py.
func (o *Options) SetScript(source []byte) { o.script = source }

// SetImportTime has the log say that an import goes on after another time.
func (o *Options) SetImportTime(d time.Duration) { o.importTime = d }

// AppendFrame appends a frame.
func AppendFrame(dst []byte, kind, flags uint8, number uint32, payload []byte) []byte {
	return appendFrame(dst, frameType(kind), flags, number, payload)
}

// ConfigFrame is the CONFIG frame.
func ConfigFrame(o Options) []byte {
	if err := o.setDefaults(); err != nil {
		panic(err)
	}
	return appendFrame(nil, frameConfig, 0, 0, appendMarshal(nil, o.config()))
}

// RequestPacket is the REQUEST packet of a request.
func RequestPacket(environ *app.Environ, content []byte, whole bool, number uint32) []byte {
	p := new(shapes).packet(environ, content, int64(len(content)), whole)
	setNumber(p.octets, number)
	return p.octets
}

// PacketMaker returns a function that makes the packet of a request, and gives it up.
func PacketMaker(shaped bool) func(environ *app.Environ) {
	s := &shapes{seed: maphash.MakeSeed()}
	s.enabled.Store(shaped)
	return func(environ *app.Environ) { s.packet(environ, nil, 0, true).release() }
}

// HeadReader returns a function that reads the head of a reply.
func HeadReader() func(octets []byte) error {
	h := newHeads()
	return func(octets []byte) error { _, err := h.get(octets); return err }
}

// Pace is how often the monitor looks: 0 not at all, 1 slowly, 2 often.
func (s *Supervisor) Pace() int { return int(s.pace.Load()) }

// TakeBack takes from all workers what they have not read.
func (s *Supervisor) TakeBack() {
	s.mu.Lock()
	defer s.release()
	for _, w := range s.workers {
		s.takeBack(w)
	}
	s.spread()
}

// Calm tells whether requests come to workers together.
func (s *Supervisor) Calm() bool {
	s.mu.Lock()
	defer s.release()
	return s.calm()
}

// Note notes a call of path.
func (s *Supervisor) Note(path string, long bool) {
	s.mu.Lock()
	defer s.release()
	s.slow.note(s.slow.find([]byte(path)), []byte(path), long)
}

// SlowPaths is how many paths are remembered.
func (s *Supervisor) SlowPaths() int { return int(s.slow.known.Load()) }

// IsSlow tells whether a path counts as slow.
func (s *Supervisor) IsSlow(path string) bool {
	s.mu.Lock()
	defer s.release()
	return s.slow.find([]byte(path)).isSlow()
}
