package model

import (
	"flag"
	"testing"
)

// deep makes the tests explore the larger instances, too: a minute or so.
var deep = flag.Bool("deep", false, "explore larger instances, too")

// consumerCases are the instances in which every invariant must hold.
var consumerCases = []struct {
	name string
	deep bool
	c    ConsumerCase
}{
	{"one member that reads while it uploads", false, ConsumerCase{Log: "rdcrd", One: true, Pipe: true, Pipeline: true}},
	{"two members", false, ConsumerCase{Log: "rdcr"}},
	{"two members that read while they upload", false, ConsumerCase{Log: "rdr", Pipeline: true}},
	{"late and reordered events", false, ConsumerCase{Log: "rcr", Pipe: true}},
	{"the topic is re-created", false, ConsumerCase{Log: "rr", Recreate: true}},
	{"another file format", false, ConsumerCase{Log: "rdr", Reformat: true}},
	{"loaded files are removed", false, ConsumerCase{Log: "rdr", One: true, Pipe: true, Remove: true}},
	{"loaded files are removed, two members", false, ConsumerCase{Log: "rr", Pipe: true, Remove: true}},
	{"one member and all of it", false, ConsumerCase{Log: "rd", One: true, Pipeline: true, Pipe: true, Recreate: true, Reformat: true}},

	{"two members, more records", true, ConsumerCase{Log: "rdcrd"}},
	{"two members, more to read while they upload", true, ConsumerCase{Log: "rdcr", Pipeline: true}},
	{"more late and reordered events", true, ConsumerCase{Log: "rcrr", Pipe: true}},
	{"the topic is re-created with dead letters", true, ConsumerCase{Log: "rdr", Recreate: true}},
	{"loaded files are removed, more of it", true, ConsumerCase{Log: "rdr", Pipe: true, Remove: true}},
	{"two members and all of it", true, ConsumerCase{Log: "rd", Pipeline: true, Pipe: true, Recreate: true, Reformat: true}},
}

func TestConsumer(t *testing.T) {
	for _, tt := range consumerCases {
		t.Run(tt.name, func(t *testing.T) {
			if tt.deep && !*deep {
				t.Skip("runs with -deep")
			}
			t.Parallel()
			holds(t, CheckConsumer(tt.c, 1<<22))
		})
	}
}

// consumerVariants are what the protocol does not do, each with what breaks.
var consumerVariants = []struct {
	name string
	c    ConsumerCase
	want string
}{
	{"name files by start and end", ConsumerCase{Log: "rr", Rules: ConsumerRules{StartAndEnd: true}}, FiledOnce},
	{"name files by their first record", ConsumerCase{Log: "rcr", Rules: ConsumerRules{FirstRecord: true}}, Chain},
	{"write over a file that exists", ConsumerCase{Log: "rr", Pipe: true, Rules: ConsumerRules{Overwrite: true}}, Committed},
	{"take a file that exists for one's own", ConsumerCase{Log: "rr", Rules: ConsumerRules{TakeForOwn: true}}, Committed},
	{"commit, then upload", ConsumerCase{Log: "r", Rules: ConsumerRules{CommitFirst: true}}, Committed},
	{"commit, then write the dead letters", ConsumerCase{Log: "rd", Rules: ConsumerRules{CommitBeforeDead: true}}, Committed},
	{"write the dead letters, then the file", ConsumerCase{Log: "rd", Rules: ConsumerRules{DeadFirst: true}}, DeadOnce},
	{"adopt without a look at the dead letters", ConsumerCase{Log: "dr", Rules: ConsumerRules{NoRepair: true}}, Committed},
	{"leave the topic's id out of the path", ConsumerCase{Log: "r", Recreate: true, Rules: ConsumerRules{NoIncarnation: true}}, Committed},
	{"leave the topic's id out of the commit", ConsumerCase{Log: "r", Recreate: true, Rules: ConsumerRules{CommitWithoutID: true}}, Committed},
	{"look at the topic's id now and then", ConsumerCase{Log: "rr", Recreate: true, Rules: ConsumerRules{LateTopicCheck: true}}, FiledOnce},
	{"look for files of the present format only", ConsumerCase{Log: "rr", Reformat: true, Rules: ConsumerRules{FormatIgnored: true}}, FiledOnce},
	{"follow files of other formats only, whose ends nobody has said", ConsumerCase{Log: "rrr", One: true, Reformat: true, Rules: ConsumerRules{OthersOnly: true, Untold: true}}, FiledOnce},
	{"go on behind the last file without committing that", ConsumerCase{Log: "r", Rules: ConsumerRules{ListedUncommitted: true}}, Progress},
	{"write a file without having said where it ends", ConsumerCase{Log: "rr", One: true, Pipe: true, Remove: true, Rules: ConsumerRules{Untold: true}}, LoadedOnce},
	{"(assumption) loaded files are removed, and the broker takes late commits", ConsumerCase{Log: "rr", Pipe: true, Remove: true, Rules: ConsumerRules{LateCommits: true}}, FiledOnce},
}

func TestConsumerVariants(t *testing.T) {
	for _, tt := range consumerVariants {
		t.Run(tt.name, func(t *testing.T) { breaks(t, CheckConsumer(tt.c, 1<<20), tt.want) })
	}
}
