// Package httpparse parses HTTP/1.1 request heads and chunked bodies from
// byte slices, by the grammar of RFC 9112, strictly.
//
// A [Request] is parsed with [Request.Parse] from a buffer that the caller
// owns. The result is a set of [Span] offsets into that buffer: no octet is
// copied and nothing is allocated, except the [Error] of a refused request and
// the growth of Request.Fields, which is kept from request to request. A head
// that is still incomplete is reported with [NeedMore]; the next call continues
// where the last one stopped, so input that comes an octet at a time costs time
// linear in its length. However the input is split, the outcome is the same:
// the same request, or the same [Kind] of error at the same offset.
//
// A body in the chunked transfer coding is decoded by [Chunked], octet by
// octet, and it never needs to see an octet twice.
//
// There are no lenient modes. A bare LF, white space before a colon, a folded
// field line, a repeated Content-Length and the like are refused, because two
// recipients that repair such a message differently can be played against each
// other (RFC 9112 section 11.2).
//
// The package knows no sockets, readers or other packages of weir.
package httpparse
