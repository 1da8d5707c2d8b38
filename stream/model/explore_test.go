package model

import "testing"

// holds checks that an exploration went through everything.
func holds(t *testing.T, res Result) {
	t.Helper()
	if res.Violated != "" || res.Complete == 0 {
		t.Fatal(res)
	}
	t.Log(res)
}

// breaks checks that an exploration found a way to violate an invariant.
func breaks(t *testing.T, res Result, want string) {
	t.Helper()
	if res.Violated != want || len(res.Trace) == 0 {
		t.Fatalf("want %s violated; %s", want, res)
	}
	t.Log(res)
}

// counter is a system that goes from 0 to 5; 4 is a trap if there is a way
// into it.
func counter(trap, fault bool) system[int] {
	return system[int]{
		next: func(s int, emit func(Step, int)) {
			switch {
			case s < 3:
				emit(Step{"", "counts", int8(s), false}, s+1)
			case s == 3:
				emit(Step{"", "ends", -1, false}, 5)
				if trap {
					emit(Step{"", "falls", -1, fault}, 4)
				}
			}
		},
		broken: func(s int) string {
			if s == 7 {
				return "Seven"
			}
			return ""
		},
		done: func(s int) bool { return s == 5 },
	}
}

func TestExplore(t *testing.T) {
	res := explore(counter(false, false), 10)
	if res.Violated != "" || res.States != 5 || res.Complete != 1 || res.Depth != 4 {
		t.Error(res)
	}
	for _, fault := range []bool{false, true} {
		res = explore(counter(true, fault), 10)
		if res.Violated != Progress || len(res.Trace) != 4 || res.Trace[3].What != "falls" {
			t.Error(res)
		}
	}
	if res = explore(counter(false, false), 2); res.Violated != Bounded {
		t.Error(res)
	}
	seven := counter(false, false)
	seven.start = 7
	if res = explore(seven, 10); res.Violated != "Seven" || len(res.Trace) != 0 {
		t.Error(res)
	}
	// A fault may not be what completes a run.
	onlyByFault := counter(false, false)
	onlyByFault.next = func(s int, emit func(Step, int)) { emit(Step{"", "jumps", -1, true}, 5) }
	if res = explore(onlyByFault, 10); res.Violated != Progress {
		t.Error(res)
	}
}
