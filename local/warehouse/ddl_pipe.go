package warehouse

import (
	"context"
)

// pipeDef is a pipe. IDs and the URL are what it saw when it was created: if the stage or the file format
// is another one now, the pipe stands still until it is re-created.
type pipeDef struct {
	Text        string   `json:"text"` // the COPY statement
	Copy        *copyDef `json:"copy"`
	AutoIngest  bool     `json:"auto_ingest,omitempty"`
	Integration string   `json:"integration,omitempty"`
	ErrorInt    string   `json:"error_integration,omitempty"`
	Paused      bool     `json:"paused,omitempty"`
	StageID     int64    `json:"stage_id"`
	StageURL    string   `json:"stage_url"`
	FormatName  objName  `json:"format_name,omitempty"` // named in the COPY or by the stage
	FormatID    int64    `json:"format_id,omitempty"`
}

type createPipe struct {
	head
	def     pipeDef
	comment string
}

func parseCreatePipe(p *parser, h head) (statement, error) {
	st := &createPipe{head: h}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("COMMENT", &st.comment)
	if err := opts.takeBool("AUTO_INGEST", &st.def.AutoIngest); err != nil {
		return nil, err
	}
	opts.takeString("INTEGRATION", &st.def.Integration)
	if v, ok := opts.take("ERROR_INTEGRATION"); ok {
		st.def.ErrorInt = nameOf(v.text)
	}
	if err := opts.refuseRest("PIPE"); err != nil {
		return nil, err
	}
	if err := p.expect("AS"); err != nil {
		return nil, err
	}
	start := p.peek().Pos
	if err := p.expect("COPY", "INTO"); err != nil {
		return nil, err
	}
	if st.def.Copy, err = p.copyDef(); err != nil {
		return nil, err
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	last := p.toks[len(p.toks)-1]
	st.def.Text = p.src[start : last.Pos+len(last.Text)]
	return st, nil
}

func (st *createPipe) run(ctx context.Context, s *session) (*result, error) {
	def := st.def
	for _, k := range def.Copy.refused {
		return nil, errInvalid("invalid COPY option [%s] in a pipe", k)
	}
	if def.Copy.OnError == "ABORT_STATEMENT" {
		return nil, errInvalid("invalid value [ABORT_STATEMENT] for parameter 'ON_ERROR' in a pipe")
	}
	if def.AutoIngest && def.Integration == "" {
		return nil, errInvalid("missing parameter 'INTEGRATION': a pipe with AUTO_INGEST on Azure needs a notification integration")
	}
	if !def.AutoIngest && def.Integration != "" {
		return nil, errInvalid("INTEGRATION is for pipes with AUTO_INGEST = TRUE")
	}
	k, err := qualify(st.name, kindPipe, s.db, s.schema)
	if err != nil {
		return nil, err
	}
	o := &object{Comment: st.comment, Pipe: &def}
	return s.createObject(ctx, st.head, o, func(d *ddlTx) error {
		if def.Integration != "" {
			in := s.w.cat.get(keyOf(kindIntegration, "", "", def.Integration))
			if in == nil || in.Integration.Direction != "INBOUND" {
				return errNotFound(kindIntegration, def.Integration)
			}
			if !s.w.consented() {
				return errNoConsent()
			}
		}
		if err := s.w.tells(def.ErrorInt); err != nil {
			return err
		}
		// Names are looked up from where the pipe lives and kept qualified.
		b, err := s.bindCopy(def.Copy, k.db, k.schema, "SKIP_FILE")
		if err != nil {
			return err
		}
		c := *def.Copy
		c.Table = objName{b.table.DB, b.table.Schema, b.table.Name}
		c.Stage = objName{b.stage.DB, b.stage.Schema, b.stage.Name}
		if c.Format, err = s.resolveFormat(c.Format, k.db, k.schema); err != nil {
			return err
		}
		def.Copy, def.StageID, def.StageURL = &c, b.stage.ID, b.stage.Stage.URL
		ref := c.Format
		if ref == nil {
			ref = b.stage.Stage.Format
		}
		if ref != nil && ref.Def == nil {
			def.FormatName = ref.Name
			if f := s.w.cat.get(keyOf(kindFormat, ref.Name[0], ref.Name[1], ref.Name[2])); f != nil {
				def.FormatID = f.ID
			}
		}
		return nil
	})
}

// tells says whether a pipe can name the integration for its errors: it has to lead out. "" is none.
func (w *Warehouse) tells(name string) error {
	if in := w.cat.get(keyOf(kindIntegration, "", "", name)); name != "" && (in == nil || in.Integration.Direction != "OUTBOUND") {
		return errNotFound(kindIntegration, name)
	}
	return nil
}

func setPipe(d *ddlTx, o *object, opts options) error {
	def := *o.Pipe
	if err := opts.takeBool("PIPE_EXECUTION_PAUSED", &def.Paused); err != nil {
		return err
	}
	if v, ok := opts.take("ERROR_INTEGRATION"); ok {
		def.ErrorInt = nameOf(v.text)
		if err := d.w.tells(def.ErrorInt); err != nil {
			return err
		}
	}
	o.Pipe = &def
	return opts.refuseRest("PIPE")
}

// state gives the execution state of a pipe (Snowflake document "SYSTEM$PIPE_STATUS").
func (c *catalog) state(o *object) string {
	p := o.Pipe
	stage := c.id(p.StageID)
	switch {
	case stage == nil || stage.DB != p.Copy.Stage[0] || stage.Schema != p.Copy.Stage[1] || stage.Name != p.Copy.Stage[2]:
		return "STOPPED_STAGE_DROPPED"
	case stage.Stage.URL != p.StageURL:
		return "STOPPED_STAGE_ALTERED"
	case p.FormatID != 0 && c.id(p.FormatID) == nil:
		return "STOPPED_FILE_FORMAT_DROPPED"
	case p.Paused:
		return "PAUSED"
	}
	return "RUNNING"
}
