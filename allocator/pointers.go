package allocator

import "reflect"

// byteRange is part of a type's memory, in bytes from its start.
type byteRange struct{ off, end uintptr }

// plainRanges lists the parts of a type that hold no pointer, and pointerWords the offsets of
// the words that do. They are found once, when a cache is created.
func plainRanges(t reflect.Type) (plain []byteRange, pointerWords []uintptr) {
	const word = 4 << (^uintptr(0) >> 63)
	var walk func(t reflect.Type, at uintptr)
	walk = func(t reflect.Type, at uintptr) {
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				f := t.Field(i)
				walk(f.Type, at+f.Offset)
			}
		case reflect.Array:
			if t.Len() > 0 && hasPointers(t.Elem()) {
				for i := range t.Len() {
					walk(t.Elem(), at+uintptr(i)*t.Elem().Size())
				}
			}
		case reflect.String, reflect.Slice, reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func:
			pointerWords = append(pointerWords, at) // the first word; a length or capacity is plain
		case reflect.Interface:
			pointerWords = append(pointerWords, at, at+word)
		}
	}
	walk(t, 0)
	at := uintptr(0)
	for _, w := range pointerWords {
		if w > at {
			plain = append(plain, byteRange{at, w})
		}
		at = w + word
	}
	if at < t.Size() {
		plain = append(plain, byteRange{at, t.Size()})
	}
	return plain, pointerWords
}

// hasPointers reports whether values of a type hold anything that the garbage collector follows.
func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.String, reflect.Slice, reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface:
		return true
	}
	return false
}
