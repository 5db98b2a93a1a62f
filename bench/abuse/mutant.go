package main

import (
	"bytes"
	"math/rand/v2"
)

// mutantSeed fixes the mutants: the n-th is the same in every run.
const mutantSeed = 20250612

var originals = [][]byte{
	[]byte("GET /plaintext HTTP/1.1\r\nHost: abuse\r\n\r\n"),
	[]byte("GET /json?a=1&b=%20 HTTP/1.1\r\nHost: abuse\r\nAccept: */*\r\nUser-Agent: mutant/1.0\r\nCookie: a=b; c=d\r\n\r\n"),
	[]byte("POST /echo HTTP/1.1\r\nHost: abuse\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world"),
	[]byte("POST /echo HTTP/1.1\r\nHost: abuse\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"),
	[]byte("PUT /echo HTTP/1.1\r\nHost: abuse\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok"),
	[]byte("GET http://abuse/environ/a/b?c=d HTTP/1.1\r\nHost: other\r\nConnection: keep-alive\r\n\r\n"),
	[]byte("OPTIONS * HTTP/1.1\r\nHost: abuse\r\n\r\n"),
	[]byte("GET /bytes?n=16 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
}

// fragments are what is put in: octets and lines that parsers have stumbled over.
var fragments = [][]byte{
	[]byte("\r"), []byte("\n"), []byte("\r\n"), []byte("\r\n\r\n"), []byte("\x00"), []byte(" "), []byte("\t"), []byte(":"),
	[]byte("\xff"), []byte("%"), []byte("%00"), []byte("../"), []byte("-1"), []byte("+"), []byte("0x"), []byte(","),
	[]byte("99999999999999999999"), []byte("18446744073709551616"), []byte("ffffffffffffffff"),
	[]byte("\r\nContent-Length: 5"), []byte("\r\nContent-Length: 6"), []byte("\r\nTransfer-Encoding: chunked"),
	[]byte("\r\nTransfer-Encoding: gzip, chunked"), []byte("\r\nHost: twice"), []byte("\r\nConnection: close"), []byte("\r\n folded"),
	[]byte("\r\nUpgrade: h2c"), []byte("HTTP/2.0"), bytes.Repeat([]byte("A"), 300), bytes.Repeat([]byte("a: b\r\n"), 40),
}

// mutant is the n-th request: an original with one to four changes.
func mutant(n int) []byte {
	random := rand.New(rand.NewPCG(mutantSeed, uint64(n)))
	request := bytes.Clone(originals[random.IntN(len(originals))])
	for range 1 + random.IntN(4) {
		request = mutate(random, request)
	}
	return request
}

// mutate makes one change. It may change request in place.
func mutate(random *rand.Rand, request []byte) []byte {
	if len(request) == 0 {
		return bytes.Clone(fragments[random.IntN(len(fragments))])
	}
	at := random.IntN(len(request))
	end := min(at+1+random.IntN(16), len(request))
	switch random.IntN(7) {
	case 0:
		request[at] ^= 1 << random.IntN(8)
	case 1:
		request[at] = byte(random.IntN(256))
	case 2, 3:
		return bytes.Join([][]byte{request[:at], request[at:]}, fragments[random.IntN(len(fragments))])
	case 4:
		return append(request[:at:at], request[end:]...)
	case 5:
		return bytes.Join([][]byte{request[:end], request[at:]}, nil)
	case 6:
		return request[:at]
	}
	return request
}
