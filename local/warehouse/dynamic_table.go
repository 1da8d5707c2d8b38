package warehouse

import (
	"context"
	"regexp"
	"strconv"
	"strings"
)

// dynamicDef is what a dynamic table has besides its query. It is kept as a view is, and its rows are computed when they are asked for: so
// it is fresher than any lag that it may have.
type dynamicDef struct {
	Lag       string `json:"lag"`
	Warehouse string `json:"warehouse"`
	Mode      string `json:"mode"` // FULL or INCREMENTAL
}

func parseCreateDynamic(p *parser, h head) (statement, error) {
	st := &createDynamic{createView{head: h, def: viewDef{Create: p.src}, dynamic: &dynamicDef{Mode: "INCREMENTAL"}}}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	opts.takeString("COMMENT", &st.comment)
	if err := setLag(st.dynamic, &opts); err != nil {
		return nil, err
	}
	if st.dynamic.Lag == "" || st.dynamic.Warehouse == "" {
		return nil, errInvalid("a dynamic table needs TARGET_LAG and WAREHOUSE")
	}
	mode := "AUTO"
	opts.takeString("REFRESH_MODE", &mode)
	switch mode = strings.ToUpper(mode); mode {
	case "FULL", "INCREMENTAL":
		st.dynamic.Mode = mode
	case "AUTO":
	default:
		return nil, errInvalid("invalid value [%s] for parameter 'REFRESH_MODE'", mode)
	}
	opts.take("INITIALIZE")
	if err := opts.refuseRest("DYNAMIC TABLE"); err != nil {
		return nil, err
	}
	if err := p.expect("AS"); err != nil {
		return nil, err
	}
	if st.def.Text = p.rest(); st.def.Text == "" {
		return nil, errSyntax(p.peek())
	}
	return st, nil
}

type createDynamic struct{ createView }

func (st *createDynamic) run(ctx context.Context, s *session) (*result, error) {
	if err := s.w.hasWarehouse(st.dynamic.Warehouse); err != nil {
		return nil, err
	}
	return st.createView.run(ctx, s)
}

// hasWarehouse is the error of a warehouse that does not exist.
func (w *Warehouse) hasWarehouse(name string) error {
	if w.cat.get(keyOf(kindWarehouse, "", "", name)) == nil {
		return errNotFound(kindWarehouse, name)
	}
	return nil
}

var lagPattern = regexp.MustCompile(`(?i)^\s*(\d+)\s+(second|minute|hour|day)s?\s*$`)

// setLag takes TARGET_LAG and WAREHOUSE.
func setLag(def *dynamicDef, opts *options) error {
	if v, ok := opts.take("WAREHOUSE"); ok {
		def.Warehouse = nameOf(v.text)
	}
	v, ok := opts.take("TARGET_LAG")
	if !ok {
		return nil
	}
	if !v.quoted && strings.EqualFold(v.text, "DOWNSTREAM") {
		def.Lag = "DOWNSTREAM"
		return nil
	}
	m := lagPattern.FindStringSubmatch(v.text)
	if m == nil {
		return errInvalid("invalid value [%s] for parameter 'TARGET_LAG'", v.text)
	}
	n, _ := strconv.Atoi(m[1])
	unit := strings.ToLower(m[2])
	if unit == "second" && n < 60 {
		return errInvalid("invalid value [%s] for parameter 'TARGET_LAG': 60 seconds is the least", v.text)
	}
	if n != 1 {
		unit += "s"
	}
	def.Lag = strconv.Itoa(n) + " " + unit
	return nil
}

func setDynamic(d *ddlTx, o *object, opts options) error {
	def := *o.Dynamic
	if err := setLag(&def, &opts); err != nil {
		return err
	}
	o.Dynamic = &def
	if err := d.w.hasWarehouse(def.Warehouse); err != nil {
		return err
	}
	return opts.refuseRest("DYNAMIC TABLE")
}
