package python

import (
	"encoding/binary"
	"errors"
)

// Frames, as protocol.md has them.

// maxPacket is the length of the longest packet.
const maxPacket = 128 << 10

// maxBody is how much content a BODY frame has at most.
const maxBody = 64 << 10

const headerSize = 12

type frameType uint8

const (
	frameConfig  frameType = 1
	frameRequest frameType = 2
	frameBody    frameType = 3
	frameCredit  frameType = 4
	frameGone    frameType = 5
	frameStop    frameType = 6
	frameResult  frameType = 7
	frameKeys    frameType = 8
	frameFork    frameType = 9

	frameReady    frameType = 16
	frameFailed   frameType = 17
	frameHead     frameType = 18
	frameData     frameType = 19
	frameAbort    frameType = 20
	frameWant     frameType = 21
	frameFile     frameType = 22
	frameHints    frameType = 23
	frameHold     frameType = 24
	framePublish  frameType = 25
	frameBegun    frameType = 26
	frameState    frameType = 27
	frameReturned frameType = 28
	frameForked   frameType = 29
)

const (
	flagEnd  = 1
	flagFail = 2
)

// frame is a frame that was received. Its payload is a view of the packet.
type frame struct {
	kind    frameType
	flags   uint8
	number  uint32
	payload []byte
}

func (f *frame) ends() bool { return f.flags&flagEnd != 0 }

// errNothing tells that nothing has come.
var errNothing = errors.New("python: no packet")

var errFrame = errors.New("python: a packet of the worker is malformed")

// nextFrame takes a frame off the front of a packet.
func nextFrame(packet []byte) (f frame, rest []byte, err error) {
	if len(packet) < headerSize {
		return f, nil, errFrame
	}
	n := binary.LittleEndian.Uint32(packet)
	if uint64(n) > uint64(len(packet)-headerSize) {
		return f, nil, errFrame
	}
	end := headerSize + int(n)
	f = frame{frameType(packet[4]), packet[5], binary.LittleEndian.Uint32(packet[8:]), packet[headerSize:end:end]}
	return f, packet[end:], nil
}

// appendFrame appends a frame.
func appendFrame(dst []byte, kind frameType, flags uint8, number uint32, payload []byte) []byte {
	dst = appendHeader(dst, kind, flags)
	start := len(dst)
	dst = append(dst, payload...)
	sealFrame(dst[start-headerSize:], number)
	return dst
}

// appendHeader appends a header whose length and number are 0 yet.
func appendHeader(dst []byte, kind frameType, flags uint8) []byte {
	return append(dst, 0, 0, 0, 0, byte(kind), flags, 0, 0, 0, 0, 0, 0)
}

// sealFrame enters the length and the number into the header of frame, which is whole.
func sealFrame(frame []byte, number uint32) {
	binary.LittleEndian.PutUint32(frame, uint32(len(frame)-headerSize))
	setNumber(frame, number)
}

func setNumber(frame []byte, number uint32) { binary.LittleEndian.PutUint32(frame[8:], number) }

// setPlace enters which BODY of its request a frame is. One that was taken back and sent again may come behind the next ones.
func setPlace(frame []byte, place uint16) { binary.LittleEndian.PutUint16(frame[6:], place) }

// split takes the part with a length of its own off the front of a payload.
func split(payload []byte) (part, rest []byte, err error) {
	if len(payload) < 4 {
		return nil, nil, errFrame
	}
	n := binary.LittleEndian.Uint32(payload)
	if uint64(n) > uint64(len(payload)-4) {
		return nil, nil, errFrame
	}
	return payload[4 : 4+n : 4+n], payload[4+n:], nil
}
