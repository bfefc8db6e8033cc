package wire

// Error says why bytes are not a header. It is a small value, so that returning it allocates nothing and callers can
// switch on it to choose the counter.
type Error uint8

const (
	ErrTruncated    Error = iota + 1 // fewer bytes than the fixed header, or than a length field promises
	ErrVersion                       // IP version is not the expected one
	ErrHeaderLength                  // header length below the minimum or beyond the packet
	ErrLength                        // a length field contradicts itself or its surroundings
	ErrChecksum                      // checksum does not match
	ErrOption                        // an option is malformed
	ErrFormat                        // a fixed field has a value the format does not allow
	ErrHopLimit                      // hop limit is not the 255 (or 1) the protocol demands
	ErrAddress                       // an address is of a kind not allowed in its place
)

// Error implements error.
func (e Error) Error() string {
	switch e {
	case ErrTruncated:
		return "truncated"
	case ErrVersion:
		return "wrong IP version"
	case ErrHeaderLength:
		return "bad header length"
	case ErrLength:
		return "bad length"
	case ErrChecksum:
		return "bad checksum"
	case ErrOption:
		return "malformed option"
	case ErrFormat:
		return "bad field value"
	case ErrHopLimit:
		return "bad hop limit"
	case ErrAddress:
		return "bad address"
	}
	return "wire error"
}
