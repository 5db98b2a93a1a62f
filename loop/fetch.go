//go:build unix

package loop

import "sync"

// sendfile(2) waits for the disk where a part of the file is not in memory, and the loop with it. So it is looked first whether the part is
// there, and where it is not, a goroutine reads it: the kernel has it then.

// maxFetches is how many parts of files are read at a time, each by a thread that waits for a disk; Go ends the process at 10,000 threads.
const maxFetches = 64

var (
	fetches = make(chan struct{}, maxFetches)
	scratch = sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }} // what is read into it is of no interest
)

// isCold tells whether reading a part of a file would wait for a disk. It does not wait.
var isCold = cold // replaced by tests

// await tells whether what is sent next of a file has to be waited for.
func (c *Conn) await(s *section) bool {
	if s.offset < s.present || c.memory() != nil {
		return false
	}
	n := min(s.left, fileBudget)
	s.present = s.offset + n
	if !isCold(s.file, s.offset, n) {
		return false
	}
	s.fetching = true
	c.setInterest()
	go c.fetch(s.file, s.offset, n)
	return true
}

// fetch reads a part of a file, on a goroutine, and has the loop go on. When the file is closed meanwhile, reading it fails, and the connection is
// none of ours any more.
func (c *Conn) fetch(file File, offset, n int64) {
	fetches <- struct{}{}
	buf := scratch.Get().(*[]byte)
	for n > 0 {
		m, err := file.ReadAt((*buf)[:min(n, int64(len(*buf)))], offset)
		if err != nil {
			break // sendfile will say the same
		}
		offset += int64(m)
		n -= int64(m)
	}
	scratch.Put(buf)
	<-fetches
	c.loop.Post(fetched, c)
}

func fetched(p any) {
	c := p.(*Conn)
	if c.out == nil || !c.out.file.fetching {
		return
	}
	c.out.file.fetching = false
	c.setInterest()
	continueDrain(c)
}

// sends tells whether there is output that only waits for the client.
func (c *Conn) sends() bool { return c.out != nil && !c.out.file.fetching }
