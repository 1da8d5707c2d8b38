package broker

import (
	"errors"
	"reflect"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// joins corrects how many members of a group kfake takes to be waiting in a join. It counts one down for a member that it
// removes while that waits in a sync, is below zero then, and a rebalance of members who all have joined does not end before
// max.poll.interval.ms is over. kfake has no way to tell: this reads its own maps, in its one goroutine.
type joins struct {
	groups reflect.Value // map[string]*group
	loop   chan func()   // what is to be done in that goroutine
}

func joinsOf(cluster *kfake.Cluster) (*joins, error) {
	moved := errors.New("kfake keeps its groups elsewhere than it used to")
	groups := reflect.ValueOf(cluster).Elem().FieldByName("groups")
	if !groups.IsValid() || groups.Kind() != reflect.Struct {
		return nil, moved
	}
	loop := reflect.ValueOf(cluster).Elem().FieldByName("adminCh")
	if !loop.IsValid() || loop.Type() != reflect.TypeFor[chan func()]() {
		return nil, moved
	}
	byName := groups.FieldByName("gs")
	if !byName.IsValid() || byName.Kind() != reflect.Map || byName.Type().Elem().Kind() != reflect.Pointer {
		return nil, moved
	}
	group := byName.Type().Elem().Elem()
	joining, ok := group.FieldByName("nJoining")
	members, ok2 := group.FieldByName("members")
	if !ok || joining.Type.Kind() != reflect.Int || !ok2 || members.Type.Kind() != reflect.Map || members.Type.Elem().Kind() != reflect.Pointer {
		return nil, moved
	}
	waiting, ok := members.Type.Elem().Elem().FieldByName("waitingReply")
	if !ok || waiting.Type.Kind() != reflect.Pointer {
		return nil, moved
	}
	if request, ok := waiting.Type.Elem().FieldByName("kreq"); !ok || request.Type != reflect.TypeFor[kmsg.Request]() {
		return nil, moved
	}
	return &joins{byName, *(*chan func())(loop.Addr().UnsafePointer())}, nil
}

// correct counts the members of a group that wait in a join. Only a control function may call it: it has a goroutine of its own, and
// kfake's answers to timers and takes what is to be done in it until the function has returned.
func (j *joins) correct(name string) {
	done := make(chan struct{})
	j.loop <- func() {
		defer close(done)
		j.count(name)
	}
	<-done
}

// count is correct, in kfake's goroutine.
func (j *joins) count(name string) {
	at := j.groups.MapIndex(reflect.ValueOf(name))
	if !at.IsValid() || at.IsNil() {
		return
	}
	group := reflect.NewAt(at.Type().Elem(), at.UnsafePointer()).Elem()
	n := 0
	for each := group.FieldByName("members").MapRange(); each.Next(); {
		waiting := each.Value().Elem().FieldByName("waitingReply")
		if waiting.IsNil() || waiting.Elem().FieldByName("kreq").IsNil() {
			continue
		}
		if waiting.Elem().FieldByName("kreq").Elem().Type() == reflect.TypeFor[*kmsg.JoinGroupRequest]() {
			n++
		}
	}
	*(*int)(group.FieldByName("nJoining").Addr().UnsafePointer()) = n
}
