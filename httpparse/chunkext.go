package httpparse

// extension takes an octet of
//
//	chunk-ext      = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] ) ; RFC 9112 7.1.1
//	chunk-ext-name = token
//	chunk-ext-val  = token / quoted-string
//
// or of the line end behind it. White space before the line end is no BWS: it
// is refused, as recipients have disagreed about what such a line is.
func (c *Chunked) extension(octet byte) Kind {
	if c.state == chunkSizeLF {
		if octet != '\n' {
			return BareCR
		}
		c.endOfSizeLine()
		return 0
	}
	next := c.state
	white := octet == ' ' || octet == '\t'
	switch c.state {
	case chunkSizeBWS, chunkExtEnd:
		switch {
		case white:
		case octet == ';':
			next = chunkExtBegin
		case c.state == chunkSizeBWS:
			return atLineEnd(octet, BadChunkSize)
		default:
			return atLineEnd(octet, BadChunkExtension)
		}
	case chunkExtBegin:
		switch {
		case white:
		case tchar.has(octet):
			next = chunkExtName
		default:
			return atLineEnd(octet, BadChunkExtension)
		}
	case chunkExtName, chunkExtEquals:
		switch {
		case octet == '=':
			next = chunkExtValue
		case octet == ';':
			next = chunkExtBegin
		case white:
			next = chunkExtEquals
		case c.state == chunkExtEquals:
			return atLineEnd(octet, BadChunkExtension)
		case octet == '\r':
			next = chunkSizeLF
		case !tchar.has(octet):
			return atLineEnd(octet, BadChunkExtension)
		}
	case chunkExtValue:
		switch {
		case white:
		case octet == '"':
			next = chunkExtQuoted
		case tchar.has(octet):
			next = chunkExtToken
		default:
			return atLineEnd(octet, BadChunkExtension)
		}
	case chunkExtToken, chunkExtQuote:
		switch {
		case octet == ';':
			next = chunkExtBegin
		case white:
			next = chunkExtEnd
		case octet == '\r':
			next = chunkSizeLF
		case c.state == chunkExtQuote || !tchar.has(octet):
			return atLineEnd(octet, BadChunkExtension)
		}
	case chunkExtQuoted:
		//   quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE ; RFC 9110 5.6.4
		switch {
		case octet == '"':
			next = chunkExtQuote
		case octet == '\\':
			next = chunkExtPair
		case !qdtext.has(octet):
			return atLineEnd(octet, BadChunkExtension)
		}
	case chunkExtPair:
		//   quoted-pair = "\" ( HTAB / SP / VCHAR / obs-text )
		if !fieldOctet.has(octet) {
			return atLineEnd(octet, BadChunkExtension)
		}
		next = chunkExtQuoted
	}
	if next != chunkSizeLF {
		if c.extensions == maxExtensions {
			return ChunkExtensionTooLong
		}
		c.extensions++
	}
	c.state = next
	return 0
}

func (c *Chunked) endOfSizeLine() {
	if c.left > 0 {
		c.state = chunkData
	} else {
		c.state = trailerLine
	}
}
