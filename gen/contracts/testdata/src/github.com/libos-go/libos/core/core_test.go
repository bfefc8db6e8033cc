package core

func inside() {
	d := NewDomain()      // want `a test's own Domain`
	_, _ = New(Options{}) // want `a test's own instance`
	if d.Close() != nil {
		d.Close() // want `the error of .* is where leaks are told`
	}
}
