package bans

import "time"

func inTest() {
	go time.Sleep(time.Until(time.Now()))
}
