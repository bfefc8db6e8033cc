package session

import "testing"

func TestAModuleThatStopsAtAnyInstantIsOverdueWithinPatience(t *testing.T) {
	for alive := range 20 { // beats in which every question is answered
		var p pulse
		for range alive {
			if ask, overdue := p.next(); overdue {
				t.Fatalf("overdue though it answers, after %d beats", p.beat)
			} else if ask && !p.came() {
				t.Fatal("the answer to a question is refused")
			}
		}
		silent := 0
		for overdue := false; !overdue; silent++ {
			_, overdue = p.next()
		}
		if silent > beats {
			t.Errorf("after %d beats of life, %d of silence", alive, silent)
		}
	}
}

func TestASlowAnswerIsNotOverdue(t *testing.T) {
	var p pulse
	for range 100 {
		for ask := false; !ask; {
			ask, _ = p.next()
		}
		for range answerWithin - 1 {
			if _, overdue := p.next(); overdue {
				t.Fatal("overdue")
			}
		}
		if !p.came() {
			t.Fatal("the answer is refused")
		}
	}
	if p.came() {
		t.Error("an answer without a question is taken")
	}
}
