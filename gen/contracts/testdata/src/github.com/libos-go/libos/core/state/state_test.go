package state

var update = map[string]bool{} // tests may have state of their own

func setInTest() {
	update["x"] = true
	on = false // want `on is written to`
}
