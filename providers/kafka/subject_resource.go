package kafka

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/confluentinc/confluent-kafka-go/v2/schemaregistry"
	"github.com/zclconf/go-cty/cty"

	"mkt/providers"
)

// subjects manages schema_subject. The registry takes one subject at a time, so a
// batch is sent with a bounded number of requests under way.
type subjects struct{ *registryClient }

// Complete implements providers.Resource; what is absent is the registry's to say.
func (s *subjects) Complete(v cty.Value) (cty.Value, error) { return v, nil }

// Read implements providers.Resource: latest version, settings and mode of each.
func (s *subjects) Read(ctx context.Context, refs []providers.Ref) []providers.Reading {
	return providers.Each(ctx, registryCalls, refs, func(ctx context.Context, ref providers.Ref) providers.Reading {
		latest, err := s.latest(ctx, ref.ID)
		if providers.CodeOf(err) == providers.NotFound {
			return providers.Reading{}
		}
		if err != nil {
			return providers.Reading{Err: err}
		}
		v, err := s.state(ctx, ref.ID, latest, ref.Private)
		return providers.Reading{State: v, Err: err}
	})
}

func (s *subjects) latest(ctx context.Context, subject string) (schemaregistry.SchemaMetadata, error) {
	return registryAsk(ctx, s.registryClient, fmt.Sprintf("read subject %q", subject), func(c schemaregistry.Client) (schemaregistry.SchemaMetadata, error) {
		return c.GetLatestSchemaMetadata(subject)
	})
}

// config is a subject's settings; the registry names the level differently in
// answers and in requests.
type config struct {
	Level       string `json:"compatibilityLevel,omitempty"`
	UpdateLevel string `json:"compatibility,omitempty"`
	Normalize   *bool  `json:"normalize,omitempty"`
}

// state completes what the registry knows of a subject with what it does not
// keep: how to delete it.
func (s *subjects) state(ctx context.Context, subject string, latest schemaregistry.SchemaMetadata, private map[string]string) (cty.Value, error) {
	var now config
	var mode struct{ Mode string }
	what := fmt.Sprintf("read the settings of subject %q", subject)
	err := s.send(ctx, what, http.MethodGet, "/config/"+escape(subject)+"?defaultToGlobal=true", nil, &now)
	if err != nil {
		return cty.NilVal, err
	}
	if err := s.send(ctx, what, http.MethodGet, "/mode/"+escape(subject)+"?defaultToGlobal=true", nil, &mode); err != nil {
		return cty.NilVal, err
	}
	refs := cty.ListValEmpty(Subject.Block("reference").Type().ElementType())
	var list []cty.Value
	for _, r := range latest.References {
		list = append(list, cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(r.Name), "subject": cty.StringVal(r.Subject), "version": cty.NumberIntVal(int64(r.Version)),
		}))
	}
	if len(list) > 0 {
		refs = cty.ListVal(list)
	}
	deletion := "soft"
	if private[deletionKey] == "hard" {
		deletion = "hard"
	}
	format := latest.SchemaType
	if format == "" {
		format = "AVRO"
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name":          cty.StringVal(subject),
		"format":        cty.StringVal(format),
		"schema":        normSchema(cty.StringVal(latest.Schema)),
		"compatibility": cty.StringVal(now.Level),
		"mode":          cty.StringVal(mode.Mode),
		"normalize":     cty.BoolVal(now.Normalize != nil && *now.Normalize),
		"deletion":      cty.StringVal(deletion),
		"id":            cty.NumberIntVal(int64(latest.ID)),
		"version":       cty.NumberIntVal(int64(latest.Version)),
		"reference":     refs,
	}), nil
}

const deletionKey = "deletion"

// Create implements providers.Resource.
func (s *subjects) Create(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, registryCalls, changes, func(ctx context.Context, ch providers.Change) providers.Result {
		if _, err := s.latest(ctx, ch.ID); providers.CodeOf(err) != providers.NotFound {
			if err == nil {
				err = providers.Errorf(providers.Exists, "create subject %q: it exists", ch.ID)
			}
			return providers.Result{Err: err}
		}
		// The schema first: if it is refused, nothing is left behind.
		id, err := s.register(ctx, ch)
		if err != nil {
			return providers.Result{Err: err}
		}
		return s.finish(ctx, ch, id, errors.Join(s.configure(ctx, ch), s.setMode(ctx, ch)))
	})
}

// Update implements providers.Resource. Settings come before the schema, which
// they decide about; a mode that forbids changes comes last.
func (s *subjects) Update(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, registryCalls, changes, func(ctx context.Context, ch providers.Change) providers.Result {
		opens := differs(ch, "mode") && ch.After.GetAttr("mode").AsString() == "READWRITE"
		var err error
		id := 0
		if opens {
			err = s.setMode(ctx, ch)
		}
		if err == nil {
			err = s.configure(ctx, ch)
		}
		if err == nil && (differs(ch, "schema") || differs(ch, "reference")) {
			id, err = s.register(ctx, ch)
		}
		if err == nil && !opens {
			err = s.setMode(ctx, ch)
		}
		return s.finish(ctx, ch, id, err)
	})
}

// finish reads the subject back. The schema stays as it was written: the
// registry has it, in its own words. id is that of the schema which was registered, 0 if none was.
func (s *subjects) finish(ctx context.Context, ch providers.Change, id int, failed error) providers.Result {
	private := map[string]string{deletionKey: ch.After.GetAttr("deletion").AsString()}
	result := providers.Result{Private: private, Err: failed}
	var err error
	if result.State, err = s.shown(ctx, ch, id, failed == nil, private); err != nil {
		switch {
		case failed == nil:
			result.Err = unseen(fmt.Sprintf("subject %q: the registry", ch.ID), err)
		case id != 0:
			result.Err = unsettled(fmt.Errorf("%w; and what is there could not be read: %w", failed, err))
		}
		return result
	}
	if failed == nil {
		parts := result.State.AsValueMap()
		parts["schema"] = ch.After.GetAttr("schema")
		result.State = cty.ObjectVal(parts)
		if differs(ch, "normalize") && normalizes(ch.After) && !normalizes(result.State) {
			// Apicurio does so (3.3.3, ccompat/v7).
			result.Err = &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("normalize"),
				Err:  fmt.Errorf("subject %q: this registry takes the setting normalize and does not keep it", ch.ID),
				Hint: "Remove normalize: mkt finds a schema that differs only in how it is written without it."}
		}
	}
	return result
}

// shown reads a subject until it is as the change makes it, for at most everywhereFor: the instances of a registry learn of changes one
// after the other, and any of them answers (Schema Registry issues 406 and 437: "it is possible for one to have stale data"). What a
// registry does not show by then is given as it is. Of a change that was not whole, what it registered is enough.
func (s *subjects) shown(ctx context.Context, ch providers.Change, id int, whole bool, private map[string]string) (state cty.Value, err error) {
	policy := backoff.NewExponentialBackOff()
	policy.InitialInterval, policy.MaxInterval = 20*time.Millisecond, time.Second
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		var latest schemaregistry.SchemaMetadata
		if latest, err = s.latest(ctx, ch.ID); err == nil {
			state, err = s.state(ctx, ch.ID, latest, private)
		}
		switch {
		case id != 0 && providers.CodeOf(err) == providers.NotFound:
			return struct{}{}, err
		case err != nil:
			return struct{}{}, backoff.Permanent(err)
		case whole && id != 0 && latest.ID != id && ch.Before != cty.NilVal && latest.Version <= number(ch.Before.GetAttr("version"), 0):
			return struct{}{}, errors.New("the version does not show yet")
		}
		for _, name := range []string{"compatibility", "mode", "normalize"} {
			if whole && differs(ch, name) && !state.GetAttr(name).RawEquals(ch.After.GetAttr(name)) {
				return struct{}{}, errors.New("the settings do not show yet")
			}
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(min(everywhereFor, providers.LimitsOf(ctx).Retry)))
	return state, err
}

// differs tells whether a change sets an attribute to something known that it
// was not before.
func differs(ch providers.Change, name string) bool {
	after := ch.After.GetAttr(name)
	if !after.IsWhollyKnown() || after.IsNull() {
		return false
	}
	return ch.Before == cty.NilVal || !after.RawEquals(ch.Before.GetAttr(name))
}

func (s *subjects) configure(ctx context.Context, ch providers.Change) error {
	var want config
	if differs(ch, "compatibility") {
		want.UpdateLevel = ch.After.GetAttr("compatibility").AsString()
	}
	if differs(ch, "normalize") {
		on := ch.After.GetAttr("normalize").True()
		want.Normalize = &on
	}
	if want == (config{}) {
		return nil
	}
	if want.UpdateLevel == "" { // the registry wants it with every setting
		if level := ch.After.GetAttr("compatibility"); level.IsKnown() && !level.IsNull() {
			want.UpdateLevel = level.AsString()
		}
	}
	return s.send(ctx, fmt.Sprintf("set the compatibility of subject %q", ch.ID), http.MethodPut, "/config/"+escape(ch.ID), want, nil)
}

func (s *subjects) setMode(ctx context.Context, ch providers.Change) error {
	if !differs(ch, "mode") {
		return nil
	}
	body := map[string]string{"mode": ch.After.GetAttr("mode").AsString()}
	return s.send(ctx, fmt.Sprintf("set the mode of subject %q", ch.ID), http.MethodPut, "/mode/"+escape(ch.ID), body, nil)
}

// info is the schema of a value as the client sends it.
func info(v cty.Value) schemaregistry.SchemaInfo {
	i := schemaregistry.SchemaInfo{Schema: v.GetAttr("schema").AsString(), SchemaType: v.GetAttr("format").AsString()}
	if refs := v.GetAttr("reference"); !refs.IsNull() {
		for _, r := range refs.AsValueSlice() {
			i.References = append(i.References, schemaregistry.Reference{
				Name: r.GetAttr("name").AsString(), Subject: r.GetAttr("subject").AsString(), Version: number(r.GetAttr("version"), 0),
			})
		}
	}
	return i
}

func normalizes(v cty.Value) bool {
	n := v.GetAttr("normalize")
	return n.IsKnown() && !n.IsNull() && n.True()
}

// register adds a version and returns the schema's id, 0 with an error. It is safe to send again: the registry knows a
// schema that it has.
func (s *subjects) register(ctx context.Context, ch providers.Change) (id int, err error) {
	id, err = registryAsk(ctx, s.registryClient, fmt.Sprintf("register a schema for subject %q", ch.ID), func(c schemaregistry.Client) (int, error) {
		return c.Register(ch.ID, info(ch.After), normalizes(ch.After))
	})
	if err != nil {
		return 0, err // the client says -1
	}
	return id, nil
}

// Delete implements providers.Resource. It returns when the subject does not show any more, but waits no longer than everywhereFor.
func (s *subjects) Delete(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, registryCalls, changes, func(ctx context.Context, ch providers.Change) providers.Result {
		what := fmt.Sprintf("delete subject %q", ch.ID)
		path := "/subjects/" + escape(ch.ID)
		gone := func(err error) bool { return err == nil || providers.CodeOf(err) == providers.NotFound }
		if err := s.send(ctx, what, http.MethodDelete, path, nil, nil); !gone(err) {
			return providers.Result{Err: err}
		}
		if ch.Before != cty.NilVal && ch.Before.GetAttr("deletion").AsString() == "hard" {
			if err := s.send(ctx, what, http.MethodDelete, path+"?permanent=true", nil, nil); !gone(err) {
				return providers.Result{Err: err}
			}
		}
		policy := backoff.NewExponentialBackOff()
		policy.InitialInterval, policy.MaxInterval = 20*time.Millisecond, time.Second
		_, _ = backoff.Retry(ctx, func() (struct{}, error) {
			_, err := s.latest(ctx, ch.ID)
			if err == nil {
				return struct{}{}, errors.New("the subject shows still")
			}
			return struct{}{}, backoff.Permanent(err)
		}, backoff.WithBackOff(policy), backoff.WithMaxElapsedTime(min(everywhereFor, providers.LimitsOf(ctx).Retry)))
		return providers.Result{}
	})
}

// Refine implements providers.Refiner: it asks the registry whether a text that
// differs is another schema, and if it is, whether it may become the next version.
func (s *subjects) Refine(ctx context.Context, changes []providers.Change) []providers.Result {
	return providers.Each(ctx, registryCalls, changes, func(ctx context.Context, ch providers.Change) providers.Result {
		result := providers.Result{State: ch.After}
		if !ch.After.GetAttr("schema").IsKnown() || !ch.After.GetAttr("reference").IsWhollyKnown() || !differs(ch, "schema") && !differs(ch, "reference") {
			return result
		}
		found, err := s.lookup(ctx, ch)
		switch {
		case providers.CodeOf(err) == providers.NotFound:
			result.Err = s.compatible(ctx, ch)
		case err != nil:
			result.Err = err
		case found.Version == number(ch.Before.GetAttr("version"), 0):
			parts := ch.After.AsValueMap()
			parts["schema"], parts["reference"] = ch.Before.GetAttr("schema"), ch.Before.GetAttr("reference")
			result.State = cty.ObjectVal(parts)
		default:
			result.Err = &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("schema"),
				Err:  fmt.Errorf("subject %q has this schema as version %d, and version %d is the latest", ch.ID, found.Version, number(ch.Before.GetAttr("version"), 0)),
				Hint: "A registry does not make an earlier version the latest again: delete the later versions, or change the schema, if only by a doc."}
		}
		return result
	})
}

// lookup asks for the version that has the schema: as written, then normalized.
func (s *subjects) lookup(ctx context.Context, ch providers.Change) (found schemaregistry.SchemaMetadata, err error) {
	for _, normalize := range []bool{false, true} {
		found, err = registryAsk(ctx, s.registryClient, fmt.Sprintf("look up the schema of subject %q", ch.ID), func(c schemaregistry.Client) (schemaregistry.SchemaMetadata, error) {
			return c.GetIDFullResponse(ch.ID, info(ch.After), normalize)
		})
		if providers.CodeOf(err) != providers.NotFound {
			return found, err
		}
	}
	return found, err
}

// compatible asks whether the schema may be the next version, unless the same
// change sets another level.
func (s *subjects) compatible(ctx context.Context, ch providers.Change) error {
	if differs(ch, "compatibility") {
		return nil
	}
	i := info(ch.After)
	var answer struct {
		OK       bool     `json:"is_compatible"`
		Messages []string `json:"messages"`
	}
	err := s.send(ctx, fmt.Sprintf("test the schema of subject %q", ch.ID), http.MethodPost,
		"/compatibility/subjects/"+escape(ch.ID)+"/versions?verbose=true", &i, &answer)
	if err != nil || answer.OK {
		return err
	}
	level := "the registry's"
	if v := ch.Before.GetAttr("compatibility"); !v.IsNull() {
		level = v.AsString()
	}
	return &providers.Error{Code: providers.Invalid, Path: cty.GetAttrPath("schema"),
		Err:  fmt.Errorf("the schema is not compatible with subject %q at level %s: %s", ch.ID, level, strings.Join(answer.Messages, "; ")),
		Hint: "Give new fields a default, keep those that readers need, or choose another compatibility."}
}
