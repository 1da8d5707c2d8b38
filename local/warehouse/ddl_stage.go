package warehouse

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
)

// stageDef is an external stage over Azure. The token is a secret: it is stored, used and never shown.
type stageDef struct {
	URL         string     `json:"url"` // azure://account.blob.core.windows.net/container[/path/]
	Token       string     `json:"token,omitempty"`
	Integration string     `json:"integration,omitempty"`
	Format      *formatRef `json:"format,omitempty"`
	Encryption  string     `json:"encryption,omitempty"` // NONE or AZURE_CSE; its key is not kept, for nothing is decrypted
}

// location splits the URL of a stage.
func (st *stageDef) location() (account, container, path string) {
	u, err := url.Parse(st.URL)
	if err != nil {
		return "", "", ""
	}
	account, _, _ = strings.Cut(u.Host, ".")
	container, path, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return account, container, path
}

func checkStageURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return errInvalid("invalid value [%s] for parameter 'URL'", s)
	}
	if u.Scheme != "azure" {
		return errUnsupported("stages on %s://", u.Scheme)
	}
	_, rest, _ := strings.Cut(u.Host, ".")
	container := strings.Trim(u.Path, "/")
	if rest != "blob.core.windows.net" && rest != "dfs.core.windows.net" || container == "" || u.RawQuery != "" {
		return errInvalid("invalid URL [%s]: azure://<account>.blob.core.windows.net/<container>[/<path>] is needed", s)
	}
	return nil
}

type createStage struct {
	head
	opts options
}

func parseCreateStage(p *parser, h head) (statement, error) {
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	return &createStage{h, opts}, p.end()
}

func (st *createStage) run(ctx context.Context, s *session) (*result, error) {
	o, opts := &object{Kind: kindStage, Stage: &stageDef{}}, append(options(nil), st.opts...)
	k, err := qualify(st.name, kindStage, s.db, s.schema)
	if err != nil {
		return nil, err
	}
	o.DB, o.Schema = k.db, k.schema
	opts.takeString("COMMENT", &o.Comment)
	return s.createObject(ctx, st.head, o, func(d *ddlTx) error {
		if err := setStage(d, o, opts); err != nil {
			return err
		}
		if o.Stage.URL == "" {
			return errUnsupported("internal stages (a stage without URL)")
		}
		return nil
	})
}

func setStage(d *ddlTx, o *object, opts options) error {
	st := *o.Stage
	if v, ok := opts.take("URL"); ok {
		if err := checkStageURL(v.text); err != nil {
			return err
		}
		st.URL = v.text
	}
	if v, ok := opts.take("CREDENTIALS"); ok {
		in := v.opts
		if !v.isList {
			return errSyntax(v.tok)
		}
		st.Token = ""
		if in.takeString("AZURE_SAS_TOKEN", &st.Token) {
			st.Integration = ""
		}
		st.Token = strings.TrimPrefix(st.Token, "?")
		if err := in.refuseRest("CREDENTIALS"); err != nil {
			return err
		}
	}
	if v, ok := opts.take("STORAGE_INTEGRATION"); ok {
		name := nameOf(v.text)
		in := d.w.cat.get(keyOf(kindIntegration, "", "", name))
		if in == nil || in.Integration.Direction != "" {
			return errNotFound(kindIntegration, name)
		}
		st.Integration, st.Token = name, ""
	}
	ref, err := takeFormat(&opts)
	if err != nil {
		return err
	}
	if ref != nil {
		if ref, err = d.s.resolveFormat(ref, o.DB, o.Schema); err != nil {
			return err
		}
		ref.ID = 0
		st.Format = ref
	}
	if v, ok := opts.take("ENCRYPTION"); ok {
		var err error
		if st.Encryption, err = encryption(v); err != nil {
			return err
		}
	}
	o.Stage = &st
	return opts.refuseRest("STAGE")
}

// encryption reads ENCRYPTION = ( [ TYPE = { 'AZURE_CSE' | 'NONE' } ] [ MASTER_KEY = '<string>' ] ) (Snowflake: "CREATE STAGE").
// A master key has 128 or 256 bits, in Base64.
func encryption(v value) (string, error) {
	if !v.isList {
		return "", errSyntax(v.tok)
	}
	in, typ, master := append(options(nil), v.opts...), "", ""
	in.takeString("TYPE", &typ)
	given := in.takeString("MASTER_KEY", &master)
	if err := in.refuseRest("ENCRYPTION"); err != nil {
		return "", err
	}
	if typ == "" && given {
		typ = "AZURE_CSE"
	}
	switch typ = strings.ToUpper(typ); typ {
	case "NONE":
		if !given {
			return typ, nil
		}
	case "AZURE_CSE":
		if key, err := base64.StdEncoding.DecodeString(master); err == nil && (len(key) == 16 || len(key) == 32) {
			return typ, nil
		}
	default:
		return "", errUnsupported("ENCRYPTION of type [%s]", typ)
	}
	return "", errInvalid("invalid value for parameter 'MASTER_KEY' with ENCRYPTION of type %s", typ) // the key is not shown
}

// integrationDef is a notification integration that reads a storage queue or tells an Event Grid topic, or a storage integration.
type integrationDef struct {
	Direction string   `json:"direction,omitempty"` // INBOUND or OUTBOUND; empty for a storage integration
	Enabled   bool     `json:"enabled"`
	Topic     string   `json:"topic,omitempty"` // where an outbound one tells of errors; nothing is sent
	QueueURI  string   `json:"queue_uri,omitempty"`
	Tenant    string   `json:"tenant,omitempty"`
	Allowed   []string `json:"allowed,omitempty"`
	Blocked   []string `json:"blocked,omitempty"`
}

// queue splits the address of the notification queue.
func (i *integrationDef) queue() (account, queue string) {
	u, err := url.Parse(i.QueueURI)
	if err != nil {
		return "", ""
	}
	account, _, _ = strings.Cut(u.Host, ".")
	return account, strings.Trim(u.Path, "/")
}

func (i *integrationDef) typeName() string {
	switch i.Direction {
	case "":
		return "EXTERNAL_STAGE"
	case "OUTBOUND":
		return "QUEUE - AZURE_EVENT_GRID"
	}
	return "QUEUE - AZURE_STORAGE_QUEUE"
}

type createIntegration struct {
	head
	storage bool
	opts    options
}

func parseCreateIntegration(p *parser, h head, storage bool) (statement, error) {
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	return &createIntegration{h, storage, opts}, p.end()
}

func (st *createIntegration) run(ctx context.Context, s *session) (*result, error) {
	o, opts := &object{Kind: kindIntegration, Integration: &integrationDef{}}, append(options(nil), st.opts...)
	opts.takeString("COMMENT", &o.Comment)
	v, _ := opts.take("TYPE")
	want := func(key, val string) error {
		v, ok := opts.take(key)
		if ok && strings.EqualFold(v.text, val) {
			return nil
		}
		return errUnsupported("integrations whose %s is not %s (got [%s])", key, val, v.text)
	}
	if st.storage {
		if !strings.EqualFold(v.text, "EXTERNAL_STAGE") {
			return nil, errInvalid("invalid value [%s] for parameter 'TYPE'", v.text)
		}
		if err := want("STORAGE_PROVIDER", "AZURE"); err != nil {
			return nil, err
		}
	} else {
		if !strings.EqualFold(v.text, "QUEUE") {
			return nil, errUnsupported("notification integrations of type [%s]", v.text)
		}
		direction := "INBOUND"
		opts.takeString("DIRECTION", &direction)
		o.Integration.Direction = strings.ToUpper(direction)
		switch o.Integration.Direction {
		case "INBOUND":
			if err := want("NOTIFICATION_PROVIDER", "AZURE_STORAGE_QUEUE"); err != nil {
				return nil, err
			}
			opts.takeString("AZURE_STORAGE_QUEUE_PRIMARY_URI", &o.Integration.QueueURI)
			u, err := url.Parse(o.Integration.QueueURI)
			if account, queue := o.Integration.queue(); err != nil || u.Scheme != "https" || account == "" || queue == "" || !strings.HasSuffix(u.Host, ".queue.core.windows.net") {
				return nil, errInvalid("invalid value [%s] for parameter 'AZURE_STORAGE_QUEUE_PRIMARY_URI': https://<account>.queue.core.windows.net/<queue> is needed", o.Integration.QueueURI)
			}
		case "OUTBOUND":
			if err := want("NOTIFICATION_PROVIDER", "AZURE_EVENT_GRID"); err != nil {
				return nil, err
			}
			opts.takeString("AZURE_EVENT_GRID_TOPIC_ENDPOINT", &o.Integration.Topic)
			if u, err := url.Parse(o.Integration.Topic); err != nil || u.Scheme != "https" || u.Host == "" {
				return nil, errInvalid("invalid value [%s] for parameter 'AZURE_EVENT_GRID_TOPIC_ENDPOINT'", o.Integration.Topic)
			}
		default:
			return nil, errInvalid("invalid value [%s] for parameter 'DIRECTION'", direction)
		}
	}
	opts.takeString("AZURE_TENANT_ID", &o.Integration.Tenant)
	if o.Integration.Tenant == "" {
		return nil, errInvalid("missing parameter 'AZURE_TENANT_ID'")
	}
	found := false
	for _, opt := range opts {
		found = found || opt.key == "ENABLED"
	}
	if !found {
		return nil, errInvalid("missing parameter 'ENABLED'")
	}
	if err := setIntegration(nil, o, opts); err != nil {
		return nil, err
	}
	return s.createObject(ctx, st.head, o, nil)
}

func setIntegration(d *ddlTx, o *object, opts options) error {
	in := *o.Integration
	if err := opts.takeBool("ENABLED", &in.Enabled); err != nil {
		return err
	}
	if in.Direction == "" {
		for key, dst := range map[string]*[]string{"STORAGE_ALLOWED_LOCATIONS": &in.Allowed, "STORAGE_BLOCKED_LOCATIONS": &in.Blocked} {
			if v, ok := opts.take(key); ok {
				*dst = nil
				for _, e := range v.list {
					*dst = append(*dst, e.text)
				}
			}
		}
		if in.Allowed == nil {
			return errInvalid("missing parameter 'STORAGE_ALLOWED_LOCATIONS'")
		}
	}
	o.Integration = &in
	return opts.refuseRest("INTEGRATION")
}
