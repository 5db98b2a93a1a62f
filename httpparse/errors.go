package httpparse

import "strconv"

// NeedMore is returned by [Request.Parse] while the head is incomplete. It is no
// failure and is never wrapped: compare with ==.
var NeedMore error = needMore{}

type needMore struct{}

func (needMore) Error() string { return "httpparse: head is incomplete" }

// Kind says in which way a request is wrong.
type Kind uint8

// The kinds, in the order in which a message meets them.
const (
	_ Kind = iota

	TooManyEmptyLines   // more empty lines before the request line than Limits.RequestLine octets
	BadMethod           // an octet that is no tchar where the method stands, or no method
	MethodTooLong       // no SP within Limits.RequestLine octets
	RequestLineTooLong  // no LF within Limits.RequestLine octets
	BadVersion          // HTTP-version missing or malformed
	VersionNotSupported // a well-formed version other than HTTP/1.x
	BadTarget           // request-target malformed, or of a form that the method does not take

	BareLF               // LF without CR before it
	BareCR               // CR without LF after it
	ObsoleteFolding      // a field line that begins with SP or HTAB
	SpaceBeforeColon     // white space between field name and colon
	BadFieldName         // field name empty or with an octet that is no tchar
	MissingColon         // field line without a colon
	BadFieldValue        // a control character in a field value
	FieldTooLarge        // a field line over Limits.FieldLine
	FieldSectionTooLarge // more octets than Limits.FieldSection
	TooManyFields        // more field lines than Limits.Fields

	MissingHost              // no Host field in HTTP/1.1
	RepeatedHost             // more than one Host field
	BadHost                  // Host value is not uri-host [ ":" port ]
	TransferEncodingInHTTP10 // Transfer-Encoding in an HTTP/1.0 request
	ConflictingFraming       // both Transfer-Encoding and Content-Length
	BadTransferEncoding      // Transfer-Encoding malformed, or chunked not exactly once and last
	UnknownTransferCoding    // a transfer coding other than chunked
	RepeatedContentLength    // more than one Content-Length field
	BadContentLength         // Content-Length is not 1*DIGIT, or over 2^63-1

	BadChunkSize          // chunk-size missing, malformed, over 16 digits or over 2^63-1
	BadChunkExtension     // chunk-ext malformed
	ChunkExtensionTooLong // over 4 KiB of chunk extensions in one body
	BadChunkData          // chunk-data not followed by CRLF
	BadTrailer            // a malformed field line in the trailer section
	ForbiddenTrailer      // a field that must not stand in a trailer section
	TrailerTooLarge       // the trailer section exceeds Limits

	kinds
)

var kindTable = [kinds]struct {
	text   string
	status int
}{
	0: {"no error", 400},

	TooManyEmptyLines:   {"too many empty lines before the request line", 400},
	BadMethod:           {"malformed method", 400},
	MethodTooLong:       {"method too long", 501},
	RequestLineTooLong:  {"request line too long", 414},
	BadVersion:          {"malformed HTTP version", 400},
	VersionNotSupported: {"this server speaks HTTP/1.0 and HTTP/1.1", 505},
	BadTarget:           {"malformed request target", 400},

	BareLF:               {"LF without CR", 400},
	BareCR:               {"CR without LF", 400},
	ObsoleteFolding:      {"folded field line", 400},
	SpaceBeforeColon:     {"white space before colon", 400},
	BadFieldName:         {"malformed field name", 400},
	MissingColon:         {"field line without colon", 400},
	BadFieldValue:        {"malformed field value", 400},
	FieldTooLarge:        {"field line too large", 431},
	FieldSectionTooLarge: {"field section too large", 431},
	TooManyFields:        {"too many fields", 431},

	MissingHost:              {"missing Host", 400},
	RepeatedHost:             {"repeated Host", 400},
	BadHost:                  {"malformed Host", 400},
	TransferEncodingInHTTP10: {"Transfer-Encoding in HTTP/1.0", 400},
	ConflictingFraming:       {"both Transfer-Encoding and Content-Length", 400},
	BadTransferEncoding:      {"malformed Transfer-Encoding", 400},
	UnknownTransferCoding:    {"unknown transfer coding", 501},
	RepeatedContentLength:    {"repeated Content-Length", 400},
	BadContentLength:         {"malformed Content-Length", 400},

	BadChunkSize:          {"malformed chunk size", 400},
	BadChunkExtension:     {"malformed chunk extension", 400},
	ChunkExtensionTooLong: {"chunk extensions too long", 400},
	BadChunkData:          {"chunk data without CRLF", 400},
	BadTrailer:            {"malformed trailer field", 400},
	ForbiddenTrailer:      {"field not allowed in a trailer section", 400},
	TrailerTooLarge:       {"trailer section too large", 431},
}

// String returns a short lower-case description.
func (k Kind) String() string {
	if k >= kinds {
		return "Kind(" + strconv.Itoa(int(k)) + ")"
	}
	return kindTable[k].text
}

// Error is a refused request. After one, the connection cannot be read any
// further: where the next request begins is unknown.
type Error struct {
	Kind Kind
	// Offset of the octet that gave offence: from the start of the buffer for a
	// head, from the first octet of the coded body for Chunked.
	Offset int
}

// Error describes the kind and the offset.
func (e *Error) Error() string {
	return "httpparse: " + e.Kind.String() + " at octet " + strconv.Itoa(e.Offset)
}

// Status returns the status code to answer with: 400, 414, 431, 501 or 505.
func (e *Error) Status() int {
	if e.Kind >= kinds {
		return 400
	}
	return kindTable[e.Kind].status
}

func refuse(kind Kind, offset int) error { return &Error{Kind: kind, Offset: offset} }
