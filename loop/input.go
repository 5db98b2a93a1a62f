//go:build unix

package loop

import "sync"

// holdSize is how much is read ahead, in octets, while input is held; and the smallest input buffer.
const holdSize = 4 << 10

// input keeps what a connection has received and not consumed: a request that is not complete yet, or
// those behind one that is being answered.
type input struct {
	data   []byte
	off    int     // octets of data that are consumed
	most   int     // octets that data is to have, and no more as far as that can be; 0: any number
	budget *budget // that a buffer which gathers is counted in; nil: it does not gather
}

// inputs has pools of inputs by capacity: 4 KiB, 16 KiB, 64 KiB, 256 KiB. Larger ones are left to the garbage collector.
var inputs [4]sync.Pool

// class is the index of the smallest pool whose buffers hold size octets, len(inputs) when none does.
func class(size int) int {
	i := 0
	for i < len(inputs) && size > holdSize<<(2*i) {
		i++
	}
	return i
}

func newInput(size int) *input {
	i := class(size)
	if i == len(inputs) {
		return &input{data: make([]byte, 0, size)}
	}
	if in, ok := inputs[i].Get().(*input); ok {
		return in
	}
	return &input{data: make([]byte, 0, holdSize<<(2*i))}
}

func (in *input) free() {
	if in.budget != nil {
		in.freeGathering()
		return
	}
	if i := class(cap(in.data)); i < len(inputs) && cap(in.data) == holdSize<<(2*i) {
		Poison(in.data)
		in.data, in.off = in.data[:0], 0
		inputs[i].Put(in)
	}
}

func (in *input) unread() []byte { return in.data[in.off:] }

// room returns free space behind the data, making some when there is none. Views of data are not
// valid afterwards.
func (in *input) room() []byte {
	if len(in.data) < in.most {
		return in.data[len(in.data):in.most]
	}
	if len(in.data) == cap(in.data) {
		if in.off >= cap(in.data)/2 {
			in.data = in.data[:copy(in.data, in.unread())]
			in.off = 0
		} else {
			grown := newInput(4 * cap(in.data))
			grown.data = append(grown.data, in.unread()...)
			old := *in
			in.data, in.off = grown.data, 0
			grown.data, grown.off = old.data, 0
			grown.free()
		}
	}
	return in.data[len(in.data):cap(in.data)]
}
