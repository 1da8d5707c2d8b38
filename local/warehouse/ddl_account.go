package warehouse

import (
	"context"
	"strings"
)

// createContainer creates a database or a schema.
type createContainer struct {
	head
	opts options
}

func parseCreateContainer(p *parser, h head) (statement, error) {
	if p.word(0, "CLONE") || p.word(0, "FROM") {
		return nil, errUnsupported("CREATE %s … %s", h.kind, p.peek().Value)
	}
	if p.accept("WITH", "MANAGED", "ACCESS") {
		return nil, errUnsupported("managed access schemas")
	}
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	return &createContainer{h, opts}, p.end()
}

func (st *createContainer) run(ctx context.Context, s *session) (*result, error) {
	o, opts := &object{}, append(options(nil), st.opts...)
	opts.takeString("COMMENT", &o.Comment)
	if err := setContainer(nil, o, opts); err != nil {
		return nil, err
	}
	r, err := s.createObject(ctx, st.head, o, func(d *ddlTx) error {
		if st.kind != kindDatabase {
			return nil
		}
		return d.create(&object{Kind: kindSchema, DB: st.name.last(), Name: "PUBLIC"})
	})
	if err != nil || o.ID == 0 { // it existed
		return r, err
	}
	if st.kind == kindDatabase {
		s.useDatabase(o.Name)
	} else {
		s.db, s.schema = o.DB, o.Name
	}
	return r, nil
}

func setContainer(d *ddlTx, o *object, opts options) error {
	if err := setRetention(o, &opts); err != nil {
		return err
	}
	return opts.refuseRest(string(o.Kind))
}

func setRetention(o *object, opts *options) error {
	n := -1
	if err := opts.takeInt("DATA_RETENTION_TIME_IN_DAYS", &n); err != nil {
		return err
	}
	if n == -1 {
		return nil
	}
	if n < 0 || n > 90 {
		return errInvalid("invalid value [%d] for parameter 'DATA_RETENTION_TIME_IN_DAYS'", n)
	}
	o.Retention = &n
	return nil
}

// retention gives the days as SHOW does: the object's own or the account's default of 1.
func (o *object) retention() int {
	if o.Retention != nil {
		return *o.Retention
	}
	return 1
}

// warehouseDef is metadata only: queries run in DuckDB whatever it says.
type warehouseDef struct {
	Size        string `json:"size"`
	State       string `json:"state"`
	AutoSuspend int    `json:"auto_suspend"`
	AutoResume  bool   `json:"auto_resume"`
}

func newWarehouseDef() *warehouseDef {
	return &warehouseDef{Size: "X-Small", State: "STARTED", AutoSuspend: 600, AutoResume: true}
}

// warehouseSizes maps the spellings of a size to the one SHOW gives.
var warehouseSizes = map[string]string{
	"XSMALL": "X-Small", "SMALL": "Small", "MEDIUM": "Medium", "LARGE": "Large", "XLARGE": "X-Large",
	"XXLARGE": "2X-Large", "2XLARGE": "2X-Large", "X2LARGE": "2X-Large", "XXXLARGE": "3X-Large", "3XLARGE": "3X-Large", "X3LARGE": "3X-Large",
	"X4LARGE": "4X-Large", "4XLARGE": "4X-Large", "X5LARGE": "5X-Large", "5XLARGE": "5X-Large", "X6LARGE": "6X-Large", "6XLARGE": "6X-Large",
}

type createWarehouse struct {
	head
	opts options
}

func parseCreateWarehouse(p *parser, h head) (statement, error) {
	p.accept("WITH")
	opts, err := p.parseOptions()
	if err != nil {
		return nil, err
	}
	return &createWarehouse{h, opts}, p.end()
}

func (st *createWarehouse) run(ctx context.Context, s *session) (*result, error) {
	o, opts := &object{Kind: kindWarehouse, Warehouse: newWarehouseDef()}, append(options(nil), st.opts...)
	opts.takeString("COMMENT", &o.Comment)
	suspended := false
	if err := opts.takeBool("INITIALLY_SUSPENDED", &suspended); err != nil {
		return nil, err
	}
	if suspended {
		o.Warehouse.State = "SUSPENDED"
	}
	if err := setWarehouse(nil, o, opts); err != nil {
		return nil, err
	}
	r, err := s.createObject(ctx, st.head, o, nil)
	if err == nil {
		s.wh = st.name.last()
	}
	return r, err
}

func setWarehouse(d *ddlTx, o *object, opts options) error {
	w := *o.Warehouse
	o.Warehouse = &w
	if v, ok := opts.take("WAREHOUSE_SIZE"); ok {
		size := warehouseSizes[strings.NewReplacer("-", "", "_", "").Replace(strings.ToUpper(v.text))]
		if size == "" {
			return errInvalid("invalid value [%s] for parameter 'WAREHOUSE_SIZE'", v.text)
		}
		w.Size = size
	}
	if err := opts.takeInt("AUTO_SUSPEND", &w.AutoSuspend); err != nil {
		return err
	}
	if err := opts.takeBool("AUTO_RESUME", &w.AutoResume); err != nil {
		return err
	}
	return opts.refuseRest("WAREHOUSE")
}
