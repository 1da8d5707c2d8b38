package registry

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func flag(req *http.Request, name string) bool { return req.URL.Query().Get(name) == "true" }

// versions returns the subject's versions, or the error that there is none.
func (r *Registry) versions(subject string, deleted bool) ([]version, error) {
	vs := r.store.live(subject)
	if deleted {
		vs = r.store.subjects[subject]
	}
	if len(vs) == 0 {
		return nil, subjectNotFound(subject)
	}
	return vs, nil
}

// version finds a version by what a URL says: a number, "latest" or -1.
func (r *Registry) version(subject, which string, deleted bool) (version, error) {
	vs, err := r.versions(subject, deleted)
	if err != nil {
		return version{}, err
	}
	if which == "latest" || which == "-1" {
		return vs[len(vs)-1], nil
	}
	n, err := strconv.ParseInt(which, 10, 32)
	if err != nil || n < 1 {
		return version{}, invalid(codeInvalidVersion, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", which)
	}
	i := slices.IndexFunc(vs, func(v version) bool { return v.Version == int(n) })
	if i < 0 {
		return version{}, versionNotFound(int(n))
	}
	return vs[i], nil
}

func (r *Registry) listSubjects(req *http.Request) (any, error) {
	prefix, names := req.URL.Query().Get("subjectPrefix"), []string{}
	for _, name := range sortedKeys(r.store.subjects) {
		live := len(r.store.live(name)) > 0
		wanted := live
		switch {
		case flag(req, "deletedOnly"):
			wanted = !live
		case flag(req, "deleted"):
			wanted = true
		}
		if wanted && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names, nil
}

func (r *Registry) listVersions(req *http.Request) (any, error) {
	vs, err := r.versions(req.PathValue("subject"), flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	return numbers(vs), nil
}

func numbers(vs []version) []int {
	ns := make([]int, len(vs))
	for i, v := range vs {
		ns[i] = v.Version
	}
	return ns
}

func (r *Registry) getVersion(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	v, err := r.version(subject, req.PathValue("version"), flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	return r.view(subject, v), nil
}

func (r *Registry) getVersionText(req *http.Request) (any, error) {
	v, err := r.version(req.PathValue("subject"), req.PathValue("version"), flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	return rawJSON(r.store.schemas[v.ID].Text), nil
}

// getLatestWithMetadata answers with the newest version that has all the
// properties given as key=…&value=… pairs.
func (r *Registry) getLatestWithMetadata(req *http.Request) (any, error) {
	subject, q := req.PathValue("subject"), req.URL.Query()
	vs, err := r.versions(subject, flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	keys, values := q["key"], q["value"]
	if len(keys) != len(values) {
		return nil, fail(http.StatusBadRequest, http.StatusBadRequest, "key and value must come in pairs")
	}
next:
	for _, v := range slices.Backward(vs) {
		for i, key := range keys {
			m := r.store.schemas[v.ID].Metadata
			if m == nil || m.Properties[key] != values[i] {
				continue next
			}
		}
		return r.view(subject, v), nil
	}
	return nil, schemaNotFound()
}

// lookup answers which version of the subject holds the schema of the body.
func (r *Registry) lookup(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	vs, err := r.versions(subject, flag(req, "deleted"))
	if err != nil {
		return nil, err
	}
	want, _, err := r.readSchema(req, r.normalizes(req))
	if err != nil {
		return nil, err
	}
	if v, ok := r.find(vs, want, r.normalizes(req)); ok {
		return r.view(subject, v), nil
	}
	return nil, schemaNotFound()
}

// find returns the newest of the versions that holds the schema. With normalize
// the versions are compared in normal form too, whatever form they were kept in.
func (r *Registry) find(vs []version, want *schema, normalize bool) (version, bool) {
	for _, v := range slices.Backward(vs) {
		have := *r.store.schemas[v.ID]
		if normalize {
			have.Text, _ = canonical(have.Text, true)
		}
		if have.key() == want.key() {
			return v, true
		}
	}
	return version{}, false
}

// register adds the schema of the body as the subject's next version, unless
// the subject has it.
func (r *Registry) register(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	next, parsed, err := r.readSchema(req, r.normalizes(req))
	if err != nil {
		return nil, err
	}
	if v, ok := r.find(r.store.live(subject), next, r.normalizes(req)); ok {
		return r.view(subject, v), nil
	}
	if err := r.writable(subject); err != nil {
		return nil, err
	}
	if next.ID > 0 {
		return nil, invalid(codeNotPermitted, "Subject %s is not in import mode; the embedded registry does not register under chosen ids", subject)
	}
	level := r.level(subject)
	messages, err := r.incompatible(parsed, r.store.live(subject), level)
	if err != nil {
		return nil, err
	}
	if len(messages) > 0 {
		return nil, fail(http.StatusConflict, http.StatusConflict,
			"Schema being registered is incompatible with an earlier schema for subject \"%s\", details: [%s]", subject, strings.Join(messages, ", "))
	}
	all := slices.Clone(r.store.subjects[subject])
	v := version{Version: 1}
	if len(all) > 0 {
		v.Version = all[len(all)-1].Version + 1
	}
	var e entry
	if id, known := r.store.ids[next.key()]; known {
		v.ID = id
	} else {
		next.ID = r.store.nextID
		v.ID, e.Schema = next.ID, next
	}
	e.Subj = &subjectEntry{subject, append(all, v)}
	if err := r.store.commit(e); err != nil {
		return nil, err
	}
	return r.view(subject, v), nil
}

func (r *Registry) deleteSubject(req *http.Request) (any, error) {
	subject := req.PathValue("subject")
	all := r.store.subjects[subject]
	live := r.store.live(subject)
	permanent := flag(req, "permanent")
	switch {
	case len(all) == 0:
		return nil, subjectNotFound(subject)
	case permanent && len(live) > 0:
		return nil, notFound(codeSubjectNotSoft, "Subject '%s' was not deleted first before being permanently deleted", subject)
	case !permanent && len(live) == 0:
		return nil, notFound(codeSubjectSoftDeleted, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", subject)
	}
	if err := r.writable(subject); err != nil {
		return nil, err
	}
	if permanent {
		return numbers(all), r.store.commit(entry{Subj: &subjectEntry{Name: subject}, Config: &configEntry{Subject: subject}, Mode: &modeEntry{Subject: subject}})
	}
	for _, v := range live {
		if err := r.unreferenced(subject, v); err != nil {
			return nil, err
		}
	}
	gone := slices.Clone(all)
	for i := range gone {
		gone[i].Deleted = true
	}
	return numbers(live), r.store.commit(entry{Subj: &subjectEntry{subject, gone}})
}

func (r *Registry) deleteVersion(req *http.Request) (any, error) {
	subject, permanent := req.PathValue("subject"), flag(req, "permanent")
	v, err := r.version(subject, req.PathValue("version"), permanent)
	if err != nil {
		if !permanent {
			if soft, err := r.version(subject, req.PathValue("version"), true); err == nil {
				return nil, notFound(codeVersionSoftDeleted, "Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", subject, soft.Version)
			}
		}
		return nil, err
	}
	if err := r.writable(subject); err != nil {
		return nil, err
	}
	if permanent && !v.Deleted {
		return nil, notFound(codeVersionNotSoft, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, v.Version)
	}
	if err := r.unreferenced(subject, v); err != nil {
		return nil, err
	}
	rest := slices.Clone(r.store.subjects[subject])
	i := slices.IndexFunc(rest, func(have version) bool { return have.Version == v.Version })
	if permanent {
		rest = slices.Delete(rest, i, i+1)
	} else {
		rest[i].Deleted = true
	}
	return v.Version, r.store.commit(entry{Subj: &subjectEntry{subject, rest}})
}
